package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.testing.Architectures;
import org.modeltracer.trace.Json;
import tools.jackson.databind.JsonNode;

class HeadsTest {
  @TempDir Path folder;

  @Test
  void jsonHasTheHeadsAndNothingElseIsPrinted() {
    Cli cli = Cli.run("heads", "-m", Cli.MODEL, "--sequences", 3, "--json");
    assertThat(cli.code()).as(cli.err()).isZero();
    JsonNode heads = cli.json().get("heads");
    assertThat(heads.size()).isEqualTo(16);
    assertThat(heads.get(1).propertyNames()).startsWith("layer", "head", "label", "scores");
    assertThat(heads.get(1).get("scores").propertyNames())
        .startsWith(
            "previous_token",
            "induction",
            "duplicate_token",
            "sink",
            "self",
            "local",
            "global",
            "retrieval");
    assertThat(heads.get(0).get("label").asString()).isEqualTo("self");
    assertThat(heads.get(1).get("label").asString()).isEqualTo("previous_token");
    assertThat(heads.get(6).get("label").asString()).isEqualTo("induction");
    assertThat(heads.get(6).get("layer").asInt()).isEqualTo(1);
    assertThat(heads.get(6).get("head").asInt()).isEqualTo(2);
    assertThat(cli.json().get("masks").get(3).get("mask").asString()).isEqualTo("causal");
  }

  @Test
  void theSeedDecidesAlone() {
    Object[] args = {"heads", "-m", Cli.MODEL, "--sequences", 2, "--json", "--seed", 5};
    String first = Cli.run(args).out();
    assertThat(Cli.run(args).out()).isEqualTo(first);
    args[7] = 6;
    assertThat(Cli.run(args).out()).isNotEqualTo(first);
  }

  @Test
  void theTableNamesTheHeadsAndTheMapShowsThem() throws IOException {
    Path text = Files.writeString(folder.resolve("text"), "The caller returns. ".repeat(100));
    Cli cli = Cli.run("heads", "-m", Cli.MODEL, "--sequences", 2, "-f", text);
    assertThat(cli.code()).as(cli.err()).isZero();
    assertThat(cli.out()).containsPattern("L0H1 .* previous token").containsPattern("1 {2}\\S\\SI");
  }

  @Test
  void aModelWithoutAttentionIsNotAPass() {
    Cli cli = Cli.run("heads", "-m", Architectures.model("mamba-dense-f16"));
    assertThat(cli.code()).isEqualTo(4);
    assertThat(cli.message()).contains("no head to score");
  }

  @Test
  void runAndDemoShowTheMapAndWriteTheAnalysis() throws IOException {
    Cli cli = Cli.run("run", "-m", Cli.MODEL, "-p", "a b a b a b", "-n", 3, "--out", folder);
    assertThat(cli.code()).as(cli.err()).isZero();
    assertThat(cli.out()).contains("one letter per head:").contains("attention.json");
    JsonNode summary = json("summary.json").get("attention").get("analysis");
    assertThat(summary.get("heads").size()).isEqualTo(16);
    JsonNode whole = json("attention.json");
    assertThat(whole.get("attention_weights").get("3").get("heads").size()).isEqualTo(4);
    // Tokens that were generated are part of the prompt's sequence.
    assertThat(whole.get("rollout").get("seq_length").asInt())
        .isEqualTo(json("summary.json").get("prompt").get("tokens").asInt() + 2);
    assertThat(whole.at("/attention_flow/layer_flow_stats/2/rows").asInt()).isPositive();
    Files.delete(folder.resolve("attention.json"));
    Cli.run("run", "-m", Cli.MODEL, "-p", "x", "--trace", "lightweight", "--out", folder);
    assertThat(folder.resolve("attention.json")).doesNotExist();
  }

  private JsonNode json(String file) throws IOException {
    return Json.mapper().readTree(Files.readString(folder.resolve(file)));
  }
}
