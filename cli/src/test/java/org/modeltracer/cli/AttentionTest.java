package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

class AttentionTest {
  private static final String TEXT =
      "The function returns. The caller returns. If the value is dropped, the memory is freed.";

  @TempDir Path folder;

  private Cli run(Object... more) {
    Object[] args = {"attention", "-m", Cli.MODEL, "--out", folder};
    Object[] all = Arrays.copyOf(args, args.length + more.length);
    System.arraycopy(more, 0, all, args.length, more.length);
    return Cli.run(all);
  }

  @Test
  void jsonIsTheFileAndHasTheCatalogue() throws IOException {
    Cli cli = run("-p", TEXT, "--json");
    assertThat(cli.code()).as(cli.err()).isZero();
    assertThat(cli.out()).isEqualTo(Files.readString(folder.resolve("attention.json")));
    JsonNode all = cli.json();
    assertThat(all.propertyNames())
        .contains(
            "attention_weights",
            "attention_patterns",
            "head_specialization",
            "attention_flow",
            "attention_stats",
            "rollout");
    JsonNode head = all.at("/attention_weights/0/heads/1");
    assertThat(head.get("attention_matrix").isNull()).isTrue();
    assertThat(head.at("/token_scores/4/most_attended/0/position").asInt()).isEqualTo(3);
    assertThat(head.at("/token_scores/0/token").asString()).isEqualTo("<|bos|>");
    assertThat(head.at("/measures/norm_weighted_entropy/rows").asInt()).isPositive();
    assertThat(head.at("/output_norm/mean").asDouble()).isPositive();
    assertThat(all.at("/attention_flow/layer_flow_stats/0/retention_ratio").asDouble())
        .isBetween(-1.0, 1.0);
    // L1H2 rests on position 0 in most rows of this prompt.
    assertThat(all.get("absent").propertyNames())
        .containsExactly(
            "head_specialization.head_clusters",
            "head_specialization.head_clusters.heads",
            "head_specialization.specialization_evolution.trend");
    assertThat(all.at("/attention_flow/layer_flow_stats").size()).isEqualTo(4);
    JsonNode insight = all.at("/attention_stats/insights/0");
    assertThat(insight.get("confidence").asDouble()).isBetween(0.0, 1.0);
    assertThat(insight.get("evidence").size()).isPositive();
  }

  @Test
  void theReportNamesWhatStandsOut() {
    Cli cli = run("-p", TEXT);
    assertThat(cli.code()).as(cli.err()).isZero();
    assertThat(cli.out())
        .contains("L0H1 1 back")
        .contains("head_clusters: none found")
        .contains("pruning")
        .containsPattern("Flow to position \\d+\n")
        .contains("Insights");
  }

  @Test
  void oneToThreeTokensYieldNoLabels() {
    for (String tokens : new String[] {"0", "0,70", "0,70,71"}) {
      JsonNode all = run("--tokens", tokens, "--json").json();
      all.at("/head_specialization/layer_specialization")
          .forEach(layer -> layer.forEach(label -> assertThat(label.isNull()).isTrue()));
      JsonNode redundancy = all.at("/head_specialization/redundancy_analysis");
      assertThat(redundancy.get("redundant_pairs")).isEmpty();
      redundancy
          .get("pruning_recommendations")
          .forEach(r -> assertThat(r.get("verdict").asString()).isEqualTo("not_enough_evidence"));
      assertThat(all.at("/head_specialization/head_clusters")).isEmpty();
      assertThat(all.get("absent").propertyNames())
          .contains("head_specialization.layer_specialization");
    }
  }

  @Test
  void matricesAreIncludedOnlyWhenAskedForAndWithinTheirBudget() {
    JsonNode exact = run("-p", "one two three four", "--matrix", "--json").json();
    JsonNode matrix = exact.at("/attention_weights/2/heads/1/attention_matrix");
    int n = matrix.size();
    assertThat(n).isGreaterThan(4);
    for (int q = 0; q < n; q++) {
      assertThat(matrix.get(q).size()).isEqualTo(q + 1);
      double sum = 0;
      for (JsonNode weight : matrix.get(q)) {
        sum += weight.asDouble();
      }
      assertThat(sum).isEqualTo(1, within(1e-5));
    }
    JsonNode small = run("-p", "one two three four", "--keep-attention", "1k", "--json").json();
    assertThat(small.get("absent").toString()).contains("kept as");
    assertThat(run("-p", "x", "--keep-attention", "much").code()).isEqualTo(2);
  }

  @Test
  void manyPromptsAreCountedTogether() throws IOException {
    Path file = Files.writeString(folder.resolve("prompts"), "one two\n\nThe caller.\none two\n");
    JsonNode all = run("-f", file, "--json", "--matrix").json();
    assertThat(all.get("prompts").asInt()).isEqualTo(3);
    long rows = 0;
    for (String prompt : new String[] {"one two", "The caller.", "one two"}) {
      JsonNode one = run("-p", prompt, "--json").json();
      rows += one.at("/attention_weights/0/heads/0/rows").asLong();
    }
    assertThat(all.at("/attention_weights/0/heads/0/rows").asLong()).isEqualTo(rows);
    assertThat(all.at("/attention_weights/0/heads/0/attention_matrix").size())
        .isEqualTo(all.at("/rollout/seq_length").asInt());
  }

  @Test
  void promptsComeOneWay() throws IOException {
    assertThat(run().message()).contains("no prompt");
    assertThat(run("-p", "x", "--tokens", "1").message()).contains("one way");
    Path empty = Files.writeString(folder.resolve("empty"), "\n \n");
    assertThat(run("-f", empty).message()).contains("no prompt in it");
  }
}
