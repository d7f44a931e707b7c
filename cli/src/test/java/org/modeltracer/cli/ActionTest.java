package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.dataformat.yaml.YAMLMapper;

/** The GitHub Action: what its script makes of its inputs, run with a launcher that echoes. */
class ActionTest {
  @TempDir Path folder;

  private static JsonNode yaml(String file) throws IOException {
    return YAMLMapper.shared().readTree(Files.readString(Path.of(file)));
  }

  /** The words that the launcher gets. */
  private List<String> words(Map<String, String> inputs) throws IOException, InterruptedException {
    JsonNode action = yaml("action.yml");
    JsonNode step = action.at("/runs/steps").get(1);
    Path launcher =
        Files.writeString(folder.resolve("modeltracer"), "#!/bin/sh\nprintf '%s\\n' \"$@\"\n");
    assertThat(launcher.toFile().setExecutable(true)).isTrue();
    var builder = new ProcessBuilder("bash", "-e", "-c", step.path("run").asString());
    builder.directory(folder.toFile()).redirectErrorStream(true);
    builder.environment().put("GITHUB_ACTION_PATH", folder.toString());
    for (var variable : step.path("env").properties()) {
      String input = variable.getValue().asString().replaceAll("^\\$\\{\\{ inputs\\.|\\s*}}$", "");
      String usual = action.path("inputs").path(input).path("default").asString();
      builder.environment().put(variable.getKey(), inputs.getOrDefault(input, usual));
    }
    Process process = builder.start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(said).isZero();
    return said.lines().toList();
  }

  @Test
  void theInputsOfTheExampleAreOptionsThatExist() throws Exception {
    JsonNode with =
        yaml("docs/examples/github-action.yml").at("/jobs/check/steps").get(1).path("with");
    Map<String, String> inputs = new LinkedHashMap<>();
    with.properties().forEach(input -> inputs.put(input.getKey(), input.getValue().asString()));
    assertThat(yaml("action.yml").path("inputs").propertyNames()).containsAll(inputs.keySet());
    List<String> words = words(inputs);
    assertThat(words)
        .containsSequence("--policy", "strict")
        .containsSequence("--kl-base", "models/f16.kld")
        .endsWith("--", "models/")
        .doesNotContain("--reference");
    var all = new ArrayList<>(words);
    all.add(all.indexOf("--"), "--list");
    assertThat(Cli.run(all.toArray()).code()).isZero();
  }

  @Test
  void noInputIsMoreThanAWord() throws Exception {
    String hostile = "--list $(touch x); \"y\" `touch x`";
    assertThat(words(Map.of("models", hostile, "reference", "a b")))
        .endsWith("--", hostile)
        .contains("a b");
    assertThat(folder.resolve("x")).doesNotExist();
  }
}
