package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.gguf.GgufException;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.LoadChecks;
import org.modeltracer.testing.ModelsAtHand;
import org.modeltracer.testing.Sample;

/**
 * Changed models of every architecture at hand, and every command: none ends in anything but a
 * documented exit code and lines that act on no terminal.
 *
 * <p>What is refused before llama.cpp sees it is refused in this process. The others go to one that
 * answers command after command; a file that brings it down goes to the whole program, which must
 * say so. All are 10,000 files, {@code -Dmodeltracer.mutants=2500-5000} some of them.
 */
@DisabledOnOs(OS.WINDOWS)
class MutantTest {
  private static final long SEED = 20261127;
  private static final long FAR = 0x9E3779B97F4A7C15L;
  private static final int MOST_OUTPUT = 4 << 20;
  private static final long MOST_MEMORY = 4L << 30;

  /** A whole {@code check} starts workers, which takes seconds; a crash two starts of Java. */
  private static final int WHOLE_CHECK = 40;

  private static final List<String> COMMANDS =
      List.of(
          "run %3$s -n 2 -t 1 --out %2$s -m %1$s",
          "inspect %1$s",
          "inspect --weights %1$s",
          "heads %3$s -t 1 -m %1$s",
          "attention %3$s -t 1 -m %1$s",
          "lens %3$s -t 1 -m %1$s",
          "export %3$s -t 1 --what logits --out %2$s -m %1$s",
          "diff %3$s -t 1 %1$s %4$s",
          "diff %3$s -t 1 %4$s %1$s",
          "bench -p 4 -n 1 -r 1 -t 1 -m %1$s",
          "perplexity %3$s -t 1 -m %1$s",
          "check --only file --no-summary %1$s");

  @TempDir Path folder;

  /** Those whose number lies in a range. */
  private static int[] range() {
    String range = System.getProperty("modeltracer.mutants");
    return range == null
        ? new int[] {0, Sample.times(40, 10_000)}
        : Arrays.stream(range.split("-")).mapToInt(Integer::parseInt).toArray();
  }

  @Test
  void everyCommandSurvivesEveryMutant() throws Exception {
    List<Path> models = List.copyOf(ModelsAtHand.in(folder).values());
    Path mutant = folder.resolve("mutant.gguf");
    int refused = 0;
    var answered = new TreeMap<Integer, Integer>();
    var crashes = new ArrayList<String>();
    var findings = new ArrayList<String>();
    int[] range = range();
    try (var worker = new ManyCommands(folder)) {
      for (int i = range[0]; i < range[1]; i++) {
        // Neighbouring seeds begin alike: far ones do not.
        var random = new Random(SEED + i * FAR);
        Path model = models.get(random.nextInt(models.size()));
        Files.write(mutant, Mutation.of(Files.readAllBytes(model), random.nextLong()));
        List<String> words = words(i, random, model, mutant);
        String name = "%d: %s of %s".formatted(i, String.join(" ", words), model);
        boolean here = refused(mutant) && !wholeCheck(i);
        Cli answer = here ? Cli.run(words.toArray()) : worker.run(words, home());
        if (here) {
          refused++;
        } else if (answer != null) {
          answered.merge(answer.code(), 1, Integer::sum);
        } else if (crashes.size() < Sample.times(3, Integer.MAX_VALUE)) {
          answer = program(words);
          crashes.add(name + ": " + answer.err().strip());
        }
        complaint(answer, worker).ifPresent(complaint -> findings.add(name + ": " + complaint));
      }
    }
    if (Sample.times(0, 1) == 1) {
      System.out.printf(
          "mutants %d to %d: %d refused, others by exit code %s, %d took llama.cpp down%n%s%n",
          range[0], range[1], refused, answered, crashes.size(), String.join("\n", crashes));
    }
    assertThat(answered).isNotEmpty();
    assertThat(findings).isEmpty();
  }

  private static boolean wholeCheck(int i) {
    return i % WHOLE_CHECK == 7;
  }

  private List<String> words(int i, Random random, Path model, Path mutant) {
    String command =
        wholeCheck(i)
            ? i % (2 * WHOLE_CHECK) == 7 ? "doctor %1$s" : "check --no-summary %1$s"
            : COMMANDS.get(random.nextInt(COMMANDS.size()));
    // Generated models have no vocabulary.
    String prompt = model.startsWith(folder) ? "--tokens 1,2,3" : "-p the";
    return List.of(command.formatted(mutant, folder.resolve("out"), prompt, model).split(" "));
  }

  private static Path home() {
    return Path.of(System.getProperty("modeltracer.home"));
  }

  /** The name alone exchanged, among all architectures at hand: keys and tensors belie it. */
  @Test
  void anotherArchitectureIsRefused() throws Exception {
    List<Path> models = List.copyOf(ModelsAtHand.in(folder).values());
    Set<String> architectures = new TreeSet<>();
    for (Path model : models) {
      architectures.add(GgufFile.read(model).architecture().orElseThrow());
    }
    Path other = folder.resolve("other.gguf");
    for (Path model : Sample.of(models, 5)) {
      byte[] bytes = Files.readAllBytes(model);
      String own = GgufFile.read(model).architecture().orElseThrow();
      for (String architecture : architectures) {
        Files.write(other, Mutation.renamed(bytes, architecture, false));
        assertThat(refused(other))
            .as(model + " as " + architecture)
            .isEqualTo(!architecture.equals(own));
      }
    }
  }

  /** The one command that takes no file: its own model is another each time. */
  @Test
  void soDoesTheDemo() throws Exception {
    Path home = Files.createDirectories(folder.resolve("home/models")).getParent();
    Files.createSymbolicLink(home.resolve("native"), home().resolve("native").toAbsolutePath());
    byte[] model = Files.readAllBytes(Path.of(Cli.MODEL));
    List<String> words = List.of("demo", "--out", folder.resolve("out").toString());
    try (var worker = new ManyCommands(folder)) {
      for (int i = 0; i < Sample.times(2, 200); i++) {
        byte[] mutant = Mutation.of(model.clone(), SEED + i * FAR);
        Files.write(home.resolve(Cli.MODEL), mutant);
        assertThat(complaint(worker.run(words, home), worker)).as("mutant " + i).isEmpty();
      }
    }
    Files.delete(home.resolve("native"));
  }

  private static boolean refused(Path mutant) {
    try {
      return !LoadChecks.problems(GgufFile.read(mutant)).isEmpty();
    } catch (GgufException e) {
      return true;
    }
  }

  private Cli program(List<String> words) throws IOException, InterruptedException {
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
    command.addAll(words);
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

  /** What of an answer is not as documented. */
  private static Optional<String> complaint(@Nullable Cli answer, ManyCommands worker)
      throws IOException {
    if (answer == null) {
      return Optional.empty();
    }
    String all = answer.out() + answer.err();
    boolean fine =
        answer.code() >= 0
            && answer.code() <= 5
            && all.length() < MOST_OUTPUT
            && worker.peak() < MOST_MEMORY
            && Stream.of("internal error", "fatal error", "\tat ").noneMatch(all::contains)
            && all.chars().noneMatch(c -> c < ' ' && c != '\n' && c != '\t' || c == 0x7f);
    return fine
        ? Optional.empty()
        : Optional.of(
            "exit code %d, %d characters, %d bytes of memory: %s"
                .formatted(answer.code(), all.length(), worker.peak(), answer.err()));
  }
}
