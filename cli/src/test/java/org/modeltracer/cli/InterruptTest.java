package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.testing.SummarySchema;
import org.modeltracer.trace.Json;
import tools.jackson.databind.JsonNode;

/** Ctrl-C, as a terminal sends it, to a program of its own. */
@DisabledOnOs(OS.WINDOWS)
class InterruptTest {
  @TempDir Path folder;

  private Process start(String... args) throws IOException, InterruptedException {
    return startWith(List.of(), args);
  }

  private Process startWith(List<String> options, String... args)
      throws IOException, InterruptedException {
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
        "--enable-native-access=ALL-UNNAMED");
    command.addAll(options);
    Collections.addAll(command, "-cp", System.getProperty("java.class.path"), Main.class.getName());
    Collections.addAll(command, args);
    return new ProcessBuilder(command).redirectError(folder.resolve("stderr").toFile()).start();
  }

  private void interrupt(Process process) throws IOException, InterruptedException {
    new ProcessBuilder("kill", "-INT", "" + process.pid()).start().waitFor();
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertThat(process.exitValue()).as(Files.readString(folder.resolve("stderr"))).isEqualTo(130);
  }

  @Test
  void whatWasTracedIsOnDisk() throws Exception {
    Process process =
        start(
            ("run -m " + Cli.MODEL + " -c 16384 -n 16000 --temp 0 -p the --out " + folder)
                .split(" "));
    try (InputStream out = process.getInputStream()) {
      // The heading is whole, the first words are there.
      assertThat(out.readNBytes(400)).hasSize(400);
      interrupt(process);
    } finally {
      process.destroyForcibly();
    }
    String summary = Files.readString(folder.resolve("summary.json"));
    assertThat(SummarySchema.errors(summary)).isEmpty();
    JsonNode root = Json.mapper().readTree(summary);
    assertThat(root.get("prompt").get("finish").asString()).isEqualTo("cancelled");
    assertThat(root.get("total_forwards").asInt()).isBetween(1, 15_999);
    assertThat(folder).isDirectoryNotContaining("glob:**.part");
  }

  @Test
  void theDemosPoisonedCopyIsRemoved() throws Exception {
    Path temporary = Files.createDirectory(folder.resolve("tmp"));
    Process process =
        startWith(
            List.of("-Djava.io.tmpdir=" + temporary),
            "demo",
            "--out",
            folder.resolve("out").toString());
    try {
      while (poisoned(temporary).isEmpty()) {
        assertThat(process.isAlive()).isTrue();
        Thread.sleep(2);
      }
      interrupt(process);
    } finally {
      process.destroyForcibly();
    }
    assertThat(poisoned(temporary)).isEmpty();
  }

  private static List<Path> poisoned(Path temporary) throws IOException {
    try (var found = Files.newDirectoryStream(temporary, "modeltracer-demo*")) {
      return StreamSupport.stream(found.spliterator(), false).toList();
    }
  }

  @Test
  void anExportLeavesNothingBehind() throws Exception {
    Path prompt = Files.writeString(folder.resolve("prompt"), "é".repeat(4000));
    Path out = folder.resolve("out");
    Process process =
        start(
            ("export -m " + Cli.MODEL + " -c 16384 -b 1 --what tokens,hidden,logits -f " + prompt)
                .concat(" --out " + out)
                .split(" "));
    try {
      while (Files.notExists(out.resolve("logits.npy.part"))) {
        assertThat(process.isAlive()).isTrue();
        Thread.sleep(5);
      }
      interrupt(process);
    } finally {
      process.destroyForcibly();
    }
    assertThat(out).doesNotExist();
    assertThat(List.of(folder.toFile().list())).containsExactlyInAnyOrder("prompt", "stderr");
  }

  @Test
  void aCheckWritesWhatWasDoneByThenAndLeavesNoWorker() throws Exception {
    Path policy = folder.resolve("long.yaml");
    Files.writeString(policy, "tokens: 1000000\ncontext: 16384\nprompts: [the]\n");
    Process process =
        start("check", Cli.MODEL, "--policy", policy.toString(), "--out", folder.toString());
    List<ProcessHandle> workers = List.of();
    while (process.isAlive() && workers.isEmpty()) {
      workers = process.descendants().toList();
      Thread.onSpinWait();
    }
    assertThat(workers).isNotEmpty();
    interrupt(process);
    for (ProcessHandle worker : workers) {
      // Killed, but perhaps not yet taken notice of by the system.
      assertThat(worker.onExit().get(20, TimeUnit.SECONDS)).isNotNull();
    }
    String summary = Files.readString(folder.resolve("summary.json"));
    assertThat(SummarySchema.errors(summary)).isEmpty();
    JsonNode checks = Json.mapper().readTree(summary).at("/verdict/checks");
    assertThat(checks.get(0).get("verdict").asString()).isEqualTo("pass");
    assertThat(checks.valueStream().map(c -> c.get("message").asString())).contains("interrupted");
  }
}
