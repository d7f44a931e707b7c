package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.modeltracer.testing.Golden;
import org.modeltracer.testing.SummarySchema;
import org.modeltracer.trace.Json;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

class RunTest {
  @TempDir Path folder;

  private String summary() throws IOException {
    return Files.readString(folder.resolve("summary.json"));
  }

  private static String withoutTiming(String summary) {
    ObjectNode root = (ObjectNode) Json.mapper().readTree(summary);
    assertThat(root.get("timing").get("total_seconds").asDouble()).isPositive();
    root.remove("timing");
    return Json.pretty(root);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "--trace full",
        "--trace lightweight",
        "--trace attention,query,ffn_gate",
        "--trace full -fa off -ctk q8_0",
        "--trace full -ub 5 -b 11"
      })
  void theSummaryIsValid(String options) throws IOException {
    String[] args =
        ("run -m " + Cli.MODEL + " -p word -n 12 --out " + folder + " " + options).split(" ");
    Cli cli = Cli.run((Object[]) args);
    assertThat(cli.code()).as(cli.err()).isZero();
    assertThat(SummarySchema.errors(summary())).isEmpty();
    JsonNode summary = Json.mapper().readTree(summary());
    assertThat(summary.get("total_forwards").asInt()).isPositive();
    assertThat(summary.get("prompt").get("generated_tokens").asInt()).isBetween(1, 12);
    assertThat(cli.out()).contains(summary.get("prompt").get("generated_text").asString());
    assertThat(folder.resolve("anomalies.jsonl")).exists();
  }

  @Test
  void theSameSeedGivesTheSameSummary() throws IOException {
    Object[] args = {
      "run",
      "-m",
      Cli.MODEL,
      "-p",
      "The same again",
      "-n",
      40,
      "-s",
      7,
      "--temp",
      1.2,
      "--out",
      folder
    };
    Cli first = Cli.run(args);
    String one = summary();
    Cli second = Cli.run(args);
    assertThat(withoutTiming(summary())).isEqualTo(withoutTiming(one));
    args[8] = 8;
    Cli other = Cli.run(args);
    assertThat(generated(summary())).isNotEqualTo(generated(one));
    assertThat(first.code() + second.code() + other.code()).isZero();
  }

  private static String generated(String summary) {
    return Json.mapper().readTree(summary).get("prompt").get("generated_text").asString();
  }

  @Test
  void jsonIsTheSummaryAndNothingElse() throws IOException {
    Cli cli = Cli.run("run", "-m", Cli.MODEL, "-p", "x", "-n", 5, "--json", "--out", folder);
    assertThat(cli.out()).isEqualTo(summary());
    assertThat(cli.json().get("schema_version").isNull()).isFalse();
  }

  @Test
  void tokensAreAPromptToo() throws IOException {
    Golden golden = Golden.load("tinyllama-mha", "short");
    String ids =
        Arrays.stream(golden.ids()).mapToObj(String::valueOf).collect(Collectors.joining(","));
    String text = Golden.prompts().get(0).get("text").asString();
    Cli.run("run", "-m", Cli.MODEL, "--tokens", ids, "-n", 9, "--temp", 0, "--out", folder);
    String one = withoutTiming(summary());
    Path file = Files.writeString(folder.resolve("prompt.txt"), text + "\n");
    Cli.run("run", "-m", Cli.MODEL, "-f", file, "-n", 9, "--temp", 0, "--out", folder);
    assertThat(withoutTiming(summary())).isEqualTo(one);
    Cli.run("run", "-m", Cli.MODEL, "-p", text, "-n", 9, "--temp", 0, "--out", folder);
    assertThat(withoutTiming(summary())).isEqualTo(one);
    assertThat(Json.mapper().readTree(one).get("prompt").get("tokens").asInt()).isEqualTo(22);
  }

  @Test
  void theDemoNeedsNoArguments() throws IOException {
    Cli cli = Cli.run("demo", "--out", folder);
    assertThat(cli.code()).as(cli.err()).isZero();
    assertThat(cli.out()).contains("When you run the program");
    assertThat(SummarySchema.errors(summary())).isEmpty();
    assertThat(cli.err())
        .contains(
            "root cause: ffn_out-2 (MUL_MAT) at position 0: blk.2.ffn_down.weight has 1 bad value"
                + " (1 NaN, 0 Inf), the first at [101, 37]");
    JsonNode poisoned =
        Json.mapper().readTree(Files.readString(folder.resolve("poisoned/summary.json")));
    assertThat(poisoned.findValue("root_cause").get("weight").asString())
        .isEqualTo("blk.2.ffn_down.weight");
  }

  @Test
  void inspectAgreesWithTheFile() {
    JsonNode json = Cli.run("inspect", Cli.MODEL, "--json").json();
    assertThat(json.get("metadata").get("llama.block_count").asString()).isEqualTo("4");
    assertThat(json.at("/model/bytes").asLong()).isEqualTo(3_816_064);
    assertThat(json.get("sites").valueStream().map(s -> s.get("site").asString()))
        .contains("embedding", "attention", "layer_out", "logits");
    assertThat(Cli.run("inspect", "-m", Cli.MODEL, "--no-sites", "--json").json().get("sites"))
        .isEmpty();
  }
}
