package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.modeltracer.trace.Json;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Two runs write the same but for the time they took, in processes of their own: the order of sets
 * and maps without one differs between them.
 */
class ReproducibleTest {
  private static final List<String> TIMES = List.of("timing", "seconds");

  @TempDir Path folder;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "attention -m MODEL -f PROMPT --json",
        "run -m MODEL -f PROMPT -n 6 --json",
        "check MODEL --policy smoke --json"
      })
  void twice(String line) throws Exception {
    Path prompt =
        Files.writeString(folder.resolve("prompt"), "The caller of one function. ".repeat(4));
    String args = line.replace("MODEL", Cli.MODEL).replace("PROMPT", prompt.toString());
    JsonNode first = run(args);
    assertThat(first.size()).isPositive();
    assertThat(withoutTimes(run(args)).toString()).isEqualTo(withoutTimes(first).toString());
  }

  private static JsonNode withoutTimes(JsonNode json) {
    if (json instanceof ObjectNode object) {
      object.remove(TIMES);
    }
    json.forEach(ReproducibleTest::withoutTimes);
    return json;
  }

  private JsonNode run(String args) throws Exception {
    var command = new ArrayList<String>();
    Collections.addAll(
        command,
        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
        "-XX:TieredStopAtLevel=1",
        "-XX:+UseSerialGC",
        "-Dmodeltracer.home=" + System.getProperty("modeltracer.home"),
        "--enable-native-access=ALL-UNNAMED",
        "-cp",
        System.getProperty("java.class.path"),
        Main.class.getName());
    Collections.addAll(command, args.split(" "));
    if (!args.startsWith("heads")) {
      Collections.addAll(command, "--out", folder.resolve("out").toString());
    }
    Process process =
        new ProcessBuilder(command).redirectError(folder.resolve("stderr").toFile()).start();
    String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(Files.readString(folder.resolve("stderr"))).isIn(0, 1);
    return Json.mapper().readTree(out);
  }
}
