package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.modeltracer.testing.LongText;
import org.modeltracer.testing.Sample;
import org.modeltracer.testing.SummarySchema;
import org.modeltracer.trace.Json;

/** However long a text in a file, a file or a pipe: time, memory and output stay bounded. */
class BoundsTest {
  private static final long NAME = 60_000_000;

  @TempDir Path folder;

  private Path named(long bytes, int unit) throws Exception {
    return LongText.value(
        Path.of(Cli.MODEL), "general.name", bytes, unit, folder.resolve("named.gguf"));
  }

  /** Control characters, which take six times their room in JSON. */
  @Test
  void aNameOfSixtyMegabytesIsCutInEveryOutput() throws Exception {
    Path model = named(NAME, 1);
    String cut = "… \\((59,999,9|60,000,0)\\d\\d bytes, sha256 [0-9a-f]{64}\\)$";
    Cli inspected = Cli.run("inspect", "--json", model);
    assertThat(inspected.code()).isZero();
    assertThat(inspected.json().at("/metadata/general.name").asString())
        .startsWith("\u0001\u0001")
        .containsPattern(cut)
        .hasSizeLessThan(5000);
    assertThat(Cli.run("inspect", "--no-sites", model).out()).hasSizeLessThan(20_000);

    Cli run = Cli.run("run", "-m", model, "-p", "the", "-n", "2", "-t", "1", "--out", folder);
    assertThat(run.code()).isZero();
    assertThat(run.out().length() + run.err().length()).isLessThan(20_000);
    Path summary = folder.resolve("summary.json");
    assertThat(Files.size(summary)).isLessThan(1 << 20);
    assertThat(Json.mapper().readTree(Files.readString(summary)).at("/model/name").asString())
        .containsPattern(cut);
  }

  /** In a heap of its own, in which the name would not fit. */
  @Test
  void theGateDoesNotHoldIt() throws Exception {
    Path model = named(Sample.times(60, 200) * 1_000_000L, 'x');
    var command = new ArrayList<String>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("-Xmx64m", "-XX:+UseSerialGC", "--enable-native-access=ALL-UNNAMED"));
    command.add("-Dmodeltracer.home=" + System.getProperty("modeltracer.home"));
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), Main.class.getName()));
    command.addAll(List.of("check", "--only", "file", "--out", folder.toString()));
    command.addAll(List.of("--sarif", folder.resolve("sarif.json").toString()));
    command.addAll(List.of("--junit", folder.resolve("junit.xml").toString()));
    command.addAll(List.of("--", model.toString()));
    Path printed = folder.resolve("printed");
    Process process =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(printed.toFile())
            .start();
    assertThat(process.waitFor(120, TimeUnit.SECONDS)).isTrue();
    assertThat(process.exitValue()).as(Files.readString(printed)).isZero();
    String summary = Files.readString(folder.resolve("summary.json"));
    assertThat(SummarySchema.errors(summary)).isEmpty();
    for (String file : List.of("summary.json", "sarif.json", "junit.xml", "printed")) {
      assertThat(Files.size(folder.resolve(file))).as(file).isLessThan(1 << 20);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"inspect", "run -p the -n 2 -t 1", "check --only tokenizer"})
  void aTokenOfMegabytesIsCut(String line) throws Exception {
    Path model =
        LongText.element(
            Path.of(Cli.MODEL),
            "tokenizer.ggml.tokens",
            300,
            5_000_000,
            'x',
            folder.resolve("token.gguf"));
    var words = new ArrayList<Object>(List.of((Object[]) line.split(" ")));
    words.addAll(List.of("-m", model));
    if (!words.contains("inspect")) {
      words.addAll(List.of("--out", folder));
    }
    Cli cli = Cli.run(words.toArray());
    assertThat(cli.code()).as(cli.err()).isIn(0, 4);
    assertThat(cli.out().length() + cli.err().length()).isLessThan(20_000);
  }

  /** Reading it all would take minutes; none of it lies on the disk. */
  @Test
  @DisabledOnOs({OS.WINDOWS, OS.MAC})
  void aLargeFileIsHashedWithinTheTimeLimit() throws Exception {
    Path model = folder.resolve("sparse.gguf");
    Files.copy(Path.of(Cli.MODEL), model);
    try (var file = new RandomAccessFile(model.toFile(), "rw")) {
      file.setLength(40L << 30);
    }
    long begin = System.nanoTime();
    Cli cli =
        Cli.run("check", model, "--only", "file.structure", "--timeout", "1", "--out", folder);
    assertThat((System.nanoTime() - begin) / 1e9).isLessThan(5);
    assertThat(cli.err()).contains("no time was left to hash");
    String summary = Files.readString(folder.resolve("summary.json"));
    assertThat(SummarySchema.errors(summary)).isEmpty();
    assertThat(Json.mapper().readTree(summary).at("/model/sha256").isNull()).isTrue();
  }

  @ParameterizedTest
  @CsvSource({
    "check --policy FILE -m MODEL",
    "check --baseline FILE -m MODEL",
    "run --thresholds FILE -p a -m MODEL",
    "run -f FILE -m MODEL",
    "heads -f FILE -m MODEL",
    "attention -f FILE -m MODEL",
  })
  @DisabledOnOs(OS.WINDOWS)
  void endlessFilesAreWrongUsage(String line) {
    String[] words = line.replace("FILE", "/dev/zero").replace("MODEL", Cli.MODEL).split(" ");
    Cli cli = Cli.run((Object[]) words);
    assertThat(cli.code()).as(cli.err()).isEqualTo(2);
    assertThat(cli.err().lines()).hasSize(1);
    assertThat(cli.err()).contains("/dev/zero is larger than");
  }

  @Test
  @DisabledOnOs(OS.WINDOWS)
  void theTimeLimitHoldsForPipesToo() throws Exception {
    Path pipe = folder.resolve("pipe");
    assertThat(new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor()).isZero();
    for (String option : List.of("--policy", "--baseline")) {
      Cli cli = Cli.run("check", Cli.MODEL, option, pipe, "--timeout", "0.3", "--out", folder);
      assertThat(cli.code()).isEqualTo(2);
      assertThat(cli.err()).contains(pipe + " did not end within 0.3 s").hasLineCount(1);
    }
    Cli cli = Cli.run("check", "--only", "file", "--out", folder, "--timeout", "5", pipe);
    assertThat(cli.code()).isEqualTo(3);
    assertThat(cli.out()).contains("is not a regular file");
  }
}
