package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.TensorInfo;
import org.modeltracer.testing.Npz;
import org.modeltracer.testing.Shared;
import org.modeltracer.testing.SummarySchema;
import org.modeltracer.trace.Json;
import tools.jackson.databind.JsonNode;

/** Two real layers of all-MiniLM-L6-v2 in every command, with no special options. */
class EncoderTest {
  private static final String NAME = "minilm-l2-f16.gguf";
  private static final Path MODEL = Shared.find("real", NAME).orElse(Path.of(NAME));
  private static final String TEXT =
      "The quick brown fox jumps over the lazy dog. A sentence encoder reads the whole text at"
          + " once, and each of its words sees every other word, before and after it. Nothing is"
          + " masked.";

  @TempDir Path folder;

  @BeforeEach
  void theModelIsAtHand() {
    Shared.file("real", NAME);
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
    assertThat(all.at("/rollout/target").asInt()).isZero();
    assertThat(all.at("/rollout/reason").isNull()).isTrue();
    Cli text = Cli.run("attention", "-m", MODEL, "-p", TEXT, "--out", folder);
    assertThat(text.out())
        .contains("Where the information of position 0 comes from")
        .contains("mean of all positions")
        .contains("Flow to position 0")
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
                    "L%dH%d".formatted(head.get("layer").asInt(), head.get("head").asInt())))
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
  void otherCommandsSayWhatTheyCanDo() throws IOException {
    Cli heads = Cli.run("heads", "-m", MODEL, "--sequences", 1);
    assertThat(heads.code()).as(heads.err()).isZero();
    assertThat(heads.out())
        .containsPattern("L0H2 +previous token")
        .containsPattern("L1H8 +next token")
        .containsPattern("L1H11 +first token");
    JsonNode json = Cli.run("heads", "-m", MODEL, "--sequences", 1, "--json").json();
    assertThat(json.get("heads")).isEmpty();
    assertThat(json.get("two_way_heads")).hasSize(24);
    Cli lens = Cli.run("lens", "-m", MODEL, "-p", TEXT);
    assertThat(lens.code()).isNotZero();
    assertThat(lens.err().lines()).hasSize(1);
    Path arrays = folder.resolve("arrays");
    Cli export =
        Cli.run("export", "-m", MODEL, "-p", TEXT, "--what", "attention,rollout", "--out", arrays);
    assertThat(export.code()).as(export.err()).isZero();
    assertThat(arrays.resolve("attention_L1.npy")).exists();
    // Each token of a text that is read both ways comes from every other.
    NpyArray rollout = NpyArray.read(arrays.resolve("rollout.npy"));
    for (int i = 0; i < rollout.shape()[0]; i++) {
      for (int j = 0; j < rollout.shape()[1]; j++) {
        assertThat(rollout.at(i, j)).isPositive();
      }
    }
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

  /** Mean pooled and of length 1, as the float64 reference has it. */
  @Test
  void textsAreEmbedded() throws IOException {
    double[] truth = new Npz(Shared.file("real", "ref_minilm_l2.npz")).doubles("pooled_unit_tanh");
    String prompt = "The small brown dog ran over the old wall, and the girl called it back home.";
    float[] unit = embedding(MODEL, prompt);
    assertThat(unit).hasSameSizeAs(truth);
    for (int i = 0; i < unit.length; i++) {
      assertThat((double) unit[i]).isCloseTo(truth[i], within(1e-3));
    }
  }

  private float[] embedding(Path model, String prompt) throws IOException {
    Path out = folder.resolve("embedding");
    Cli export = Cli.run("export", "-m", model, "-p", prompt, "--what", "embedding", "--out", out);
    assertThat(export.code()).as(export.err()).isZero();
    return floats(NpyArray.read(out.resolve("embedding_pooled.npy")));
  }

  private static float[] floats(NpyArray array) {
    float[] values = new float[Math.toIntExact(array.shape()[0])];
    for (int i = 0; i < values.length; i++) {
      values[i] = array.at(i);
    }
    return values;
  }

  /** The cosine that diff and the gate report is that of the two exported embeddings. */
  @Test
  void embeddingsAreCompared() throws IOException {
    Path changed = changed(folder.resolve("changed.gguf"));
    float[] one = embedding(MODEL, TEXT);
    float[] two = embedding(changed, TEXT);
    double cosine = 0;
    for (int i = 0; i < one.length; i++) {
      cosine += (double) one[i] * two[i];
    }
    assertThat(cosine).isBetween(0.2, 0.98);
    Cli diff = Cli.run("diff", changed, MODEL, "-p", TEXT, "--json");
    assertThat(diff.code()).as(diff.err()).isEqualTo(1);
    assertThat(diff.json().at("/embeddings/pooling").asString()).isEqualTo("mean");
    assertThat(diff.json().at("/embeddings/texts").asInt()).isEqualTo(1);
    assertThat(diff.json().at("/embeddings/cosine_min").asDouble()).isCloseTo(cosine, within(1e-5));
    Cli check =
        Cli.run(
            "check",
            changed,
            "--reference",
            MODEL,
            "--only",
            "reference.embeddings,determinism",
            "--out",
            folder);
    assertThat(check.code()).isEqualTo(1);
    assertThat(check.out())
        .containsPattern("✘ reference\\.embeddings +the embedding of a text has cosine 0\\.\\d{4}")
        .containsPattern("✔ determinism\\.repeat +\\d+ positions: every bit the same")
        .containsPattern("✔ determinism\\.batch +.*alone and beside another text");
  }

  /** The model with one matrix of its last layer turned around. */
  private static Path changed(Path file) throws IOException {
    byte[] bytes = Files.readAllBytes(MODEL);
    TensorInfo matrix = GgufFile.read(MODEL).tensor("blk.1.ffn_down.weight").orElseThrow();
    int start = Math.toIntExact(matrix.offset());
    for (int i = 1; i < matrix.bytes(); i += 2) {
      bytes[start + i] ^= (byte) 0x80;
    }
    return Files.write(file, bytes);
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
