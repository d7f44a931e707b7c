package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.gguf.GgufException;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.LoadChecks;
import org.modeltracer.testing.ModelsAtHand;
import org.modeltracer.testing.Sample;

/**
 * Models with some bits turned, of every architecture at hand, and every command: none ends in
 * anything but a documented exit code and lines that act on no terminal.
 *
 * <p>What is refused before llama.cpp sees it is refused in this process; the others go to the
 * whole program. All are 10,000 files; a sample is a hundred, and a few processes.
 */
@Tag("alone")
class MutantTest {
  private static final long SEED = 20261127;
  private static final int MOST_OUTPUT = 4 << 20;

  /** Beyond this, little of what is turned is a header, which is what decides. */
  private static final int HEADER = 64 << 10;

  private static final List<String> COMMANDS =
      List.of(
          "run -p the -n 2 -t 1 --out %2$s -m %1$s",
          "inspect %1$s",
          "inspect --weights %1$s",
          "heads -p the -t 1 -m %1$s",
          "attention -p the -t 1 -m %1$s",
          "lens -p the -t 1 -m %1$s",
          "export -p the -t 1 --what logits --out %2$s -m %1$s",
          "bench -p 4 -n 1 -r 1 -t 1 -m %1$s",
          "check --only file --no-summary %1$s");

  @TempDir Path folder;

  @Test
  void everyCommandSurvivesEveryMutant() throws Exception {
    List<Path> models = List.copyOf(ModelsAtHand.in(folder).values());
    int processes = Sample.times(3, Integer.MAX_VALUE);
    int whole = 0;
    var random = new Random(SEED);
    for (int i = 0; i < Sample.times(60, 10_000); i++) {
      Path model = models.get(random.nextInt(models.size()));
      long seed = random.nextLong();
      String command = COMMANDS.get(i % COMMANDS.size());
      Path mutant = folder.resolve("mutant.gguf");
      Files.write(mutant, turned(Files.readAllBytes(model), new Random(seed)));
      String[] words = command.formatted(mutant, folder.resolve("out")).split(" ");
      String name = "%s of %s, seed %d".formatted(words[0], model, seed);
      if (refused(mutant) || words[0].equals("check")) {
        check(name, Cli.run((Object[]) words));
      } else if (whole < processes) {
        whole++;
        check(name, program(words));
      }
    }
    assertThat(whole).isPositive();
  }

  private static boolean refused(Path mutant) {
    try {
      return !LoadChecks.problems(GgufFile.read(mutant)).isEmpty();
    } catch (GgufException e) {
      return true;
    }
  }

  /** One to four changes: a bit, a byte, a small number over four bytes, or a piece moved. */
  private static byte[] turned(byte[] bytes, Random random) {
    int header = Math.min(bytes.length - 64, HEADER);
    for (int n = 1 + random.nextInt(4); n > 0; n--) {
      int at = random.nextInt(random.nextInt(8) == 0 ? bytes.length - 64 : header);
      switch (random.nextInt(4)) {
        case 0 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
        case 1 -> bytes[at] = (byte) random.nextInt();
        case 2 -> {
          bytes[at] = (byte) random.nextInt(48);
          bytes[at + 1] = 0;
          bytes[at + 2] = 0;
          bytes[at + 3] = 0;
        }
        default ->
            System.arraycopy(bytes, random.nextInt(header), bytes, at, 1 + random.nextInt(32));
      }
    }
    return bytes;
  }

  private Cli program(String... words) throws IOException, InterruptedException {
    var command = new ArrayList<String>();
    Collections.addAll(
        command,
        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-Xmx1g",
        "-Dmodeltracer.home=" + System.getProperty("modeltracer.home"),
        "--enable-native-access=ALL-UNNAMED",
        "-cp",
        System.getProperty("java.class.path"),
        Launch.class.getName());
    Collections.addAll(command, words);
    Path out = folder.resolve("stdout");
    Path err = folder.resolve("stderr");
    Process process =
        new ProcessBuilder(command)
            .redirectOutput(out.toFile())
            .redirectError(err.toFile())
            .start();
    try {
      assertThat(process.waitFor(120, TimeUnit.SECONDS)).as("ended by itself").isTrue();
    } finally {
      process.destroy();
    }
    return new Cli(process.exitValue(), Files.readString(out), Files.readString(err));
  }

  private static void check(String name, Cli answer) {
    String all = answer.out() + answer.err();
    assertThat(answer.code()).as("%s: %s", name, answer.err()).isBetween(0, 5);
    assertThat(all).as(name).hasSizeLessThan(MOST_OUTPUT);
    assertThat(all).as(name).doesNotContain("internal error", "fatal error", "\tat ");
    assertThat(all.chars().filter(c -> c < ' ' && c != '\n' && c != '\t' || c == 0x7f))
        .as(name)
        .isEmpty();
  }
}
