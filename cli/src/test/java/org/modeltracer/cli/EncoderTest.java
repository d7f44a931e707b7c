package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.testing.SummarySchema;
import org.modeltracer.trace.Json;
import tools.jackson.databind.JsonNode;

/** Two real layers of all-MiniLM-L6-v2 in every command, with no special options. */
class EncoderTest {
  private static final Path MODEL = Path.of("..", "shared", "real", "minilm-l2-f16.gguf");
  private static final String TEXT =
      "The quick brown fox jumps over the lazy dog. A sentence encoder reads the whole text at"
          + " once, and each of its words sees every other word, before and after it. Nothing is"
          + " masked.";

  @TempDir Path folder;

  @BeforeEach
  void theModelIsAtHand() {
    assumeThat(MODEL).as("the shared models are not at hand").exists();
  }

  @Test
  void isRead() throws IOException {
    Cli cli = Cli.run("run", "-m", MODEL, "-p", TEXT, "--out", folder);
    assertThat(cli.code()).as(cli.err()).isZero();
    String summary = Files.readString(folder.resolve("summary.json"));
    assertThat(SummarySchema.errors(summary)).isEmpty();
    JsonNode root = Json.mapper().readTree(summary);
    assertThat(root.get("total_forwards").asInt()).isEqualTo(1);
    assertThat(root.at("/prompt/finish").asString()).isEqualTo("no_output");
  }

  /** The heads that its float64 reference names; a head is not judged by its last row. */
  @Test
  void headsAreSeenBothWays() {
    Cli cli = Cli.run("attention", "-m", MODEL, "-p", TEXT, "--json", "--out", folder);
    assertThat(cli.code()).as(cli.err()).isZero();
    JsonNode all = cli.json();
    assertThat(all.get("attention_weights")).isEmpty();
    assertThat(all.get("two_way_heads")).hasSize(24);
    assertThat(label(all, "L0H2")).isEqualTo("previous_token");
    assertThat(mean(all, "L0H2", "previous_token")).isGreaterThan(0.9);
    assertThat(label(all, "L1H8")).isEqualTo("next_token");
    assertThat(mean(all, "L1H8", "next_token")).isCloseTo(0.70, within(0.15));
    assertThat(label(all, "L1H10")).isEqualTo("first_token");
    assertThat(mean(all, "L1H10", "first_token")).isCloseTo(0.69, within(0.15));
    Cli text = Cli.run("attention", "-m", MODEL, "-p", TEXT, "--out", folder);
    assertThat(text.out())
        .contains("L1H8")
        .contains("next token")
        .doesNotContain("Infinity", "NaN");
  }

  private static JsonNode head(JsonNode all, String name) {
    return all.get("two_way_heads")
        .valueStream()
        .filter(
            head ->
                name.equals(
                    "L%dH%d"
                        .formatted(head.at("/head/layer").asInt(), head.at("/head/head").asInt())))
        .findFirst()
        .orElseThrow();
  }

  private static String label(JsonNode all, String name) {
    return head(all, name).get("two_way_label").asString();
  }

  private static double mean(JsonNode all, String name, String field) {
    return head(all, name).get("means").get(field).asDouble();
  }

  @Test
  void otherCommandsSayWhatTheyCanDo() {
    Cli heads = Cli.run("heads", "-m", MODEL);
    assertThat(heads.code()).isEqualTo(4);
    assertThat(heads.err().lines()).hasSize(1);
    assertThat(heads.err()).contains("'attention' measures heads that see both ways");
    Cli lens = Cli.run("lens", "-m", MODEL, "-p", TEXT);
    assertThat(lens.code()).isNotZero();
    assertThat(lens.err().lines()).hasSize(1);
    Path arrays = folder.resolve("arrays");
    Cli export = Cli.run("export", "-m", MODEL, "-p", TEXT, "--out", arrays);
    assertThat(export.code()).as(export.err()).isZero();
    assertThat(arrays.resolve("attention_L1.npy")).exists();
  }

  @Test
  void isComparedAndChecked() {
    Cli diff = Cli.run("diff", MODEL, MODEL, "--chunks", 1);
    assertThat(diff.code()).as(diff.err()).isZero();
    assertThat(diff.out()).contains("0 nodes critical, 0 with a warning");
    Cli check =
        Cli.run(
            "check", MODEL, "--reference", MODEL, "--only", "reference", "--out", folder, "--json");
    assertThat(check.code()).as(check.out() + check.err()).isZero();
  }

  /** llama.cpp ends the process over positions that the table does not have. */
  @Test
  void learnedPositionsAreAllThereAre() {
    Cli far = Cli.run("run", "-m", MODEL, "-c", 1024, "-p", TEXT, "--out", folder);
    assertThat(far.code()).isEqualTo(2);
    assertThat(far.message()).contains("-c 1024: the model has learned 512 positions");
    Cli large = Cli.run("run", "-m", MODEL, "-p", "word ".repeat(600), "--out", folder);
    assertThat(large.code()).isEqualTo(2);
    assertThat(large.err())
        .contains("the model knows no more positions")
        .doesNotContain("larger -c");
    assertThat(large.err().lines()).hasSize(1);
  }
}
