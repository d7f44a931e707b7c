package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.networknt.schema.Schema;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.cli.export.ExportIndex;
import org.modeltracer.gate.Schemas;
import org.modeltracer.sparse.IndexedModel;
import org.modeltracer.sparse.IndexedModel.Kind;
import org.modeltracer.sparse.SparseReport;
import org.modeltracer.testing.Architectures;
import tools.jackson.databind.JsonNode;

class SparseTest {
  private static final Schema SPARSE = Schemas.of(SparseReport.class, "sparse.schema.json");

  @TempDir private Path folder;

  private static String tokens(int n) {
    return Arrays.stream(IndexedModel.prompt(n))
        .mapToObj(String::valueOf)
        .collect(Collectors.joining(","));
  }

  @Test
  void aMistakeOfAPortIsNamed() {
    Path file = IndexedModel.write(Kind.ROTARY_LAYOUT, folder);
    Cli cli = Cli.run("sparse", file, "--tokens", tokens(128), "-t", 1, "--out", folder);
    assertThat(cli.code()).as(cli.err()).isZero();
    assertThat(cli.out())
        .contains("1 prompt, 128 tokens", "old ‥ new")
        .containsPattern(
            "layer 1: recall 0\\.\\d\\d; 0\\.\\d\\d with the other layout of rotary positions");
  }

  @Test
  void theJsonIsByItsSchemaAndWhatIsWritten() throws IOException {
    Path file = IndexedModel.write(Kind.IDEAL, folder);
    Cli cli = Cli.run("sparse", file, "--tokens", tokens(100), "-t", 1, "--out", folder, "--json");
    assertThat(cli.code()).as(cli.err()).isZero();
    assertThat(Files.readString(folder.resolve("sparse.json"))).isEqualTo(cli.out());
    assertThat(Schemas.errors(SPARSE, cli.out())).isEmpty();
    JsonNode layer = cli.json().at("/indexer/layers/1");
    assertThat(layer.get("exercised").asInt()).isEqualTo(68);
    assertThat(layer.get("recall").asDouble())
        .isCloseTo(layer.get("best").asDouble(), within(1e-3));
    assertThat(layer.at("/diagnosis/mistake").isNull()).isTrue();
    assertThat(layer.get("heads").size()).isEqualTo(2);
    assertThat(layer.get("selected_at").size()).isEqualTo(100);
  }

  @Test
  void sparseBesideDenseAtSeveralLengths() {
    Path file = IndexedModel.write(Kind.SHUFFLED, folder);
    Object[] command = {
      "sparse", file, "--tokens", tokens(128), "-t", 1, "--lengths", "48,96", "--out", folder
    };
    Cli table = Cli.run(command);
    assertThat(table.code()).as(table.err()).isZero();
    assertThat(table.out())
        .contains(
            "What the query at position 127 sees",
            "layer 1 head 0: ",
            "lies at other distances at 96 tokens than at the length before")
        .containsPattern("(?m)^ {4}48 +1 +16 ")
        .containsPattern("(?m)^ {4}96 +1 +64 ");
    Object[] words = Arrays.copyOf(command, command.length + 1);
    words[command.length] = "--json";
    Cli cli = Cli.run(words);
    assertThat(Schemas.errors(SPARSE, cli.out())).isEmpty();
    assertThat(cli.json().get("lengths").size()).isEqualTo(2);
    // Every token in brackets is one that the JSON says is selected in half of the layers.
    int marked = table.out().split("\\[\\d+ ]", -1).length - 1;
    assertThat(cli.json().at("/indexer/layers/0/marked/selected").size())
        .isEqualTo(IndexedModel.TOP_K);
    assertThat(marked).isGreaterThanOrEqualTo(IndexedModel.TOP_K);
    JsonNode layers = cli.json().at("/indexer/layers");
    var votes = new TreeMap<Integer, Integer>();
    layers.forEach(
        layer ->
            layer
                .at("/marked/selected")
                .forEach(position -> votes.merge(position.asInt(), 1, Integer::sum)));
    assertThat((long) marked)
        .isEqualTo(votes.values().stream().filter(n -> 2 * n >= layers.size()).count());
    Cli dense =
        Cli.run(
            "sparse",
            Cli.MODEL,
            "-p",
            "One two three four five six",
            "-t",
            1,
            "--budgets",
            4,
            "--lengths",
            "4,8",
            "--json",
            "--out",
            folder);
    assertThat(dense.code()).as(dense.err()).isZero();
    assertThat(Schemas.errors(SPARSE, dense.out())).isEmpty();
    assertThat(dense.json().at("/lengths/1/layers/3/heads").size()).isEqualTo(4);
    Cli none = Cli.run("sparse", Cli.MODEL, "-p", "hi", "--lengths", "4000", "--out", folder);
    assertThat(none.code()).isEqualTo(2);
    assertThat(none.message()).contains("--lengths: no prompt has 4000 tokens, the longest has ");
  }

  @Test
  void whatWasNotExercisedIsNoPass() {
    Path file = Architectures.model("deepseek32-moe-f16");
    Cli cli = Cli.run("sparse", file, "--tokens", tokens(8), "-t", 1, "--out", folder, "--json");
    assertThat(cli.code()).isEqualTo(4);
    assertThat(cli.message()).contains("not exercised: no query saw more keys than the 8");
    assertThat(Schemas.errors(SPARSE, cli.out())).isEmpty();
    assertThat(cli.json().at("/indexer/exercised").asBoolean()).isFalse();
    assertThat(cli.json().at("/indexer/layers/0/recall").isNull()).isTrue();
  }

  @Test
  void aDenseModelIsToldWhatSelectionsWouldCost() {
    String text = "The function returns a value to the caller. ".repeat(8);
    Object[] command = {
      "sparse", Cli.MODEL, "-p", text, "-t", 1, "--budgets", "8,16", "--verify", "--out", folder
    };
    Cli table = Cli.run(command);
    assertThat(table.code()).as(table.err()).isZero();
    assertThat(table.out())
        .contains("sliding window", "heavy hitters", "block top k", "layer 3: ", "Verified on 64");
    Object[] words = Arrays.copyOf(command, command.length + 1);
    words[command.length] = "--json";
    Cli cli = Cli.run(words);
    assertThat(Schemas.errors(SPARSE, cli.out())).isEmpty();
    assertThat(cli.json().get("indexer").isNull()).isTrue();
    JsonNode policies = cli.json().get("policies");
    assertThat(policies.get("heads").size()).isEqualTo(16);
    assertThat(policies.get("layers").size()).isEqualTo(4);
    JsonNode head = policies.get("heads").get(0);
    assertThat(head.get("kept").size()).isEqualTo(10);
    assertThat(policies.at("/verification/kl_mean").asDouble()).isBetween(0.0, 5.0);
  }

  @Test
  void budgetsThatNoPromptExceedsAreNoPass() {
    Cli cli = Cli.run("sparse", Cli.MODEL, "-p", "hi", "-t", 1, "--out", folder);
    assertThat(cli.code()).isEqualTo(4);
    assertThat(cli.message()).contains("no prompt is longer than 32 tokens");
    Cli wrong = Cli.run("sparse", Cli.MODEL, "-p", "hi", "--recall", "2", "--out", folder);
    assertThat(wrong.code()).isEqualTo(2);
  }

  /** Scores are the sums of those of the heads, and the selection is of the highest. */
  @Test
  void exportsWhatIsScoredAndSelected() throws IOException {
    Path file = IndexedModel.write(Kind.SHUFFLED, folder);
    int n = 70;
    Cli cli =
        Cli.run(
            "export",
            file,
            "--tokens",
            tokens(n),
            "-t",
            1,
            "-ub",
            16,
            "--out",
            folder,
            "--what",
            "indexer,selection");
    assertThat(cli.code()).as(cli.err()).isZero();
    for (int layer = 0; layer < 2; layer++) {
      NpyArray heads = NpyArray.read(folder.resolve("indexer_L" + layer + ".npy"));
      NpyArray scores = NpyArray.read(folder.resolve("index_scores_L" + layer + ".npy"));
      NpyArray selection = NpyArray.read(folder.resolve("selection_L" + layer + ".npy"));
      assertThat(heads.shape()).containsExactly(2, n, n);
      assertThat(scores.shape()).containsExactly(n, n);
      assertThat(selection.shape()).containsExactly(n, n);
      double[][] golden = IndexedModel.indexScores(Kind.SHUFFLED, IndexedModel.prompt(n));
      for (int q = 0; q < n; q++) {
        float least = Float.POSITIVE_INFINITY;
        float most = Float.NEGATIVE_INFINITY;
        int selected = 0;
        for (int k = 0; k < n; k++) {
          float score = scores.at(q, k);
          boolean selects = selection.integer(q, k) == 1;
          if (k > q) {
            assertThat(score).isEqualTo(Float.NEGATIVE_INFINITY);
            assertThat(selects).isFalse();
            continue;
          }
          float sum = heads.at(0, q, k) + heads.at(1, q, k);
          assertThat(sum).isCloseTo(score, within(1e-4f));
          assertThat((double) score).isCloseTo(golden[q][k], within(5e-3));
          selected += selects ? 1 : 0;
          least = selects ? Math.min(least, score) : least;
          most = selects ? most : Math.max(most, score);
        }
        assertThat(selected).isEqualTo(Math.min(q + 1, IndexedModel.TOP_K));
        assertThat(least).isGreaterThanOrEqualTo(most);
      }
    }
    assertThat(
            Schemas.errors(
                Schemas.of(ExportIndex.class, "export.schema.json"),
                Files.readString(folder.resolve("export.json"))))
        .isEmpty();
    Cli dense = Cli.run("export", Cli.MODEL, "-p", "a", "--what", "selection", "--out", folder);
    assertThat(dense.code()).isEqualTo(2);
    assertThat(dense.message()).contains("no selection file for layers [0, 1, 2, 3]");
  }
}
