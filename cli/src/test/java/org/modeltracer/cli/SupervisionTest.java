package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.testing.Sample;
import org.modeltracer.testing.SummarySchema;

/** The whole program, whose process with the model is brought down in the middle of its work. */
@DisabledOnOs(OS.WINDOWS)
@Tag("alone")
class SupervisionTest {
  private static final long SEED = 20261127;

  @TempDir Path folder;

  private Process start(Path model) throws IOException, InterruptedException {
    return start(
        ("run -m " + model + " -c 16384 -n 16000 --temp 0 -t 1 -p the --out out").split(" "));
  }

  private Process start(String... words) throws IOException, InterruptedException {
    var command = new ArrayList<String>();
    // A test run in the background may ignore the signal, and children inherit that.
    if (new ProcessBuilder("env", "--default-signal=INT", "true").start().waitFor() == 0) {
      Collections.addAll(command, "env", "--default-signal=INT");
    }
    Collections.addAll(
        command,
        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
        "-XX:+UseSerialGC",
        "-Dmodeltracer.home=" + System.getProperty("modeltracer.home"),
        "--enable-native-access=ALL-UNNAMED",
        "-cp",
        absolute(System.getProperty("java.class.path")),
        Launch.class.getName());
    Collections.addAll(command, words);
    return new ProcessBuilder(command)
        .directory(folder.toFile())
        .redirectOutput(folder.resolve("stdout").toFile())
        .redirectError(folder.resolve("stderr").toFile())
        .start();
  }

  /** The class path, seen from another folder. */
  private static String absolute(String classPath) {
    return String.join(
        ":",
        List.of(classPath.split(":")).stream()
            .map(entry -> Path.of(entry).toAbsolutePath().toString())
            .toList());
  }

  private static Path model() {
    return Path.of(Cli.MODEL).toAbsolutePath();
  }

  /** The process with the model, once a summary shows that it is at work. */
  private ProcessHandle atWork(Process program) throws IOException, InterruptedException {
    while (Files.notExists(folder.resolve("out/summary.json"))) {
      assertThat(program.isAlive()).as(stderr()).isTrue();
      Thread.sleep(10);
    }
    Thread.sleep(200);
    return program.descendants().reduce((first, last) -> last).orElseThrow();
  }

  private static void send(String signal, long pid) throws IOException, InterruptedException {
    new ProcessBuilder("kill", "-" + signal, "" + pid).start().waitFor();
  }

  private String stderr() throws IOException {
    return Files.readString(folder.resolve("stderr"));
  }

  private void wentDown(Process program, String how) throws IOException, InterruptedException {
    assertThat(program.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertThat(program.exitValue()).as(stderr()).isEqualTo(5);
    // The context is beyond the trained one, of which a warning tells.
    assertThat(
            stderr()
                .lines()
                .filter(line -> line.startsWith("modeltracer: "))
                .filter(line -> !line.startsWith("modeltracer: warning: -c ")))
        .singleElement()
        .asString()
        .startsWith("modeltracer: the process with llama.cpp went down (" + how + ") ")
        .contains(".gguf")
        .endsWith("what was found until then is in out");
    assertThat(stderr() + Files.readString(folder.resolve("stdout")))
        .doesNotContain("fatal error", "hs_err", "\tat ");
    assertThat(SummarySchema.errors(Files.readString(folder.resolve("out/summary.json"))))
        .isEmpty();
    assertThat(folder.toFile().list()).doesNotContain("core").noneMatch(n -> n.contains("hs_err"));
  }

  static List<String> signals() {
    return Sample.of(List.of("SEGV", "ABRT", "KILL", "BUS"), 1);
  }

  @ParameterizedTest
  @MethodSource("signals")
  void aCrashIsOneLine(String signal) throws Exception {
    Process program = start(model());
    try {
      send(signal, atWork(program).pid());
      boolean caught = List.of("SEGV", "BUS").contains(signal);
      wentDown(program, caught ? "invalid memory access" : "SIG" + signal);
    } finally {
      program.destroyForcibly();
    }
  }

  /** No type of a weight gets past the header any more; keys that another architecture needs do. */
  @Test
  void aFileThatLlamaAssertsOn() throws Exception {
    byte[] model = Files.readAllBytes(Path.of("models/rand-qwen2-f32.gguf"));
    Path other = folder.resolve("other.gguf");
    Files.write(other, Mutation.renamed(model, "paddleocr", true));
    Process program = start(("run --tokens 1,2,3 -t 1 --out out -m " + other).split(" "));
    assertThat(program.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertThat(program.exitValue()).as(stderr()).isEqualTo(5);
    assertThat(stderr().lines().filter(line -> line.startsWith("modeltracer: ")))
        .singleElement()
        .asString()
        .contains("llama.cpp failed an assertion", "GGML_ASSERT", "other.gguf");
    assertThat(stderr()).doesNotContain("fatal error", "hs_err", "\tat ");
  }

  @Test
  void aFileThatIsCutWhileItRuns() throws Exception {
    Path copy = Files.copy(model(), folder.resolve("cut.gguf"));
    Process program = start(copy);
    try {
      atWork(program);
      try (var channel = FileChannel.open(copy, StandardOpenOption.WRITE)) {
        channel.truncate(4096);
      }
      wentDown(program, "invalid memory access");
      assertThat(stderr()).contains("which has lost ");
    } finally {
      program.destroyForcibly();
    }
  }

  @Test
  void aSignalEndsBoth() throws Exception {
    Process program = start(model());
    try {
      ProcessHandle child = atWork(program);
      send("TERM", program.pid());
      assertThat(program.waitFor(60, TimeUnit.SECONDS)).isTrue();
      assertThat(program.exitValue()).as(stderr()).isEqualTo(143);
      assertThat(child.isAlive()).isFalse();
      assertThat(Files.readString(folder.resolve("out/summary.json"))).contains("\"cancelled\"");
    } finally {
      program.destroyForcibly();
    }
  }

  /** At random moments, whole programs: no orphan is left, and no JSON that is torn. */
  @Test
  void endedFromOutsideAtAnyMoment() throws Exception {
    var random = new Random(SEED);
    for (int i = 0; i < Sample.times(2, 200); i++) {
      String signal = List.of("KILL", "TERM", "INT").get(i % 3);
      String words = i % 2 == 0 ? "run -n 16000 -c 16384 -t 1 -p the -m " : "check -m ";
      Process program = start((words + model() + " --out out").split(" "));
      Thread.sleep(random.nextInt(4000));
      List<ProcessHandle> children = program.descendants().toList();
      send(signal, program.pid());
      assertThat(program.waitFor(60, TimeUnit.SECONDS)).isTrue();
      for (ProcessHandle child : children) {
        assertThat(child.onExit().get(60, TimeUnit.SECONDS)).isNotNull();
      }
      Path summary = folder.resolve("out/summary.json");
      if (Files.exists(summary)) {
        assertThat(SummarySchema.errors(Files.readString(summary))).as(signal).isEmpty();
      }
    }
  }

  @Test
  void nobodyIsLeftAlone() throws Exception {
    Process program = start(model());
    ProcessHandle child = atWork(program);
    program.destroyForcibly();
    assertThat(child.onExit().get(60, TimeUnit.SECONDS)).isNotNull();
    String summary = Files.readString(folder.resolve("out/summary.json"));
    assertThat(SummarySchema.errors(summary)).isEmpty();
    assertThat(folder.resolve("out")).isDirectoryNotContaining("glob:**.part");
  }
}
