package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.modeltracer.testing.Golden;
import org.modeltracer.testing.Weights;
import tools.jackson.databind.JsonNode;

/**
 * Queries, keys, values, head outputs and activations fit together as the transformer has it: they
 * make the attention that PyTorch computed, and the residual stream.
 */
class ExportPartsTest {
  private static final List<String> EXACT = List.of("-ctk", "f32", "-ctv", "f32");
  private static final String PARTS = "attention,hidden,q,k,v,head_outputs,mlp";

  @TempDir Path folder;

  private Cli export(Path model, Object... more) {
    var args = new ArrayList<Object>(List.of("export", "-m", model, "--out", folder, "-t", 1));
    args.addAll(EXACT);
    args.addAll(List.of(more));
    if (!args.contains("-fa")) {
      args.addAll(List.of("-fa", "off"));
    }
    Cli cli = Cli.run(args.toArray());
    assertThat(cli.code()).as(cli.err()).isZero();
    return cli;
  }

  private NpyArray array(String name) {
    try {
      return NpyArray.read(folder.resolve(name + ".npy"));
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  private static String ids(Golden golden) {
    return String.join(
        ",", Arrays.stream(golden.ids()).mapToObj(String::valueOf).toArray(String[]::new));
  }

  /** Softmax of scaled products of queries and keys: the row of attention, by definition. */
  private static double[] attention(NpyArray q, NpyArray k, int head, int query) {
    int width = (int) q.shape()[2];
    int kvHead = (int) (head * k.shape()[1] / q.shape()[1]);
    double[] row = new double[query + 1];
    double sum = 0;
    for (int j = 0; j <= query; j++) {
      double score = 0;
      for (int i = 0; i < width; i++) {
        score += (double) q.at(query, head, i) * k.at(j, kvHead, i);
      }
      row[j] = Math.exp(score / Math.sqrt(width));
      sum += row[j];
    }
    for (int j = 0; j <= query; j++) {
      row[j] /= sum;
    }
    return row;
  }

  @ParameterizedTest
  @CsvSource({
    "tinyllama-mha, -ub 512, 1e-4",
    "tinyllama-mha, -ub 7, 1e-4",
    "tinyllama-mha, -ub 1 -b 1, 1e-4",
    "tinyllama-gqa, -ub 512, 1e-2",
    "rand-qwen2, -ub 512, 1e-4",
    "rand-gpt2, -ub 512, 1.1e-3",
    "rand-mixtral, -ub 512, 1e-4"
  })
  void queriesAndKeysMakeTheAttentionOfPyTorch(String model, String batches, double tolerance) {
    Golden golden = Golden.load(model, "short");
    var args = new ArrayList<Object>(List.of("--tokens", ids(golden), "--what", PARTS));
    args.addAll(List.of(batches.split(" ")));
    export(golden.file(), args.toArray());
    for (int layer = 0; layer < golden.layers(); layer++) {
      NpyArray q = array("q_L" + layer);
      NpyArray k = array("k_L" + layer);
      assertThat(q.shape()[1]).isEqualTo(golden.heads());
      double worst = 0;
      for (int h = 0; h < golden.heads(); h++) {
        for (int t = 0; t < golden.ids().length; t++) {
          double[] row = attention(q, k, h, t);
          for (int j = 0; j <= t; j++) {
            worst = Math.max(worst, Math.abs(row[j] - golden.at("attn", layer, h, t, j)));
          }
        }
      }
      assertThat(worst).as("layer %d", layer).isLessThan(tolerance);
      mixes(layer, golden.ids().length, 1e-5);
    }
  }

  /** A head's output is the sum of values by its row of attention. */
  private void mixes(int layer, int positions, double tolerance) {
    NpyArray weights = array("attention_L" + layer);
    NpyArray v = array("v_L" + layer);
    NpyArray out = array("head_outputs_L" + layer);
    int heads = (int) out.shape()[1];
    assertThat(weights.shape()).containsExactly(heads, positions, positions);
    double largest = 0;
    double worst = 0;
    for (int t = 0; t < positions; t++) {
      for (int h = 0; h < heads; h++) {
        int kvHead = (int) (h * v.shape()[1] / heads);
        for (int i = 0; i < out.shape()[2]; i++) {
          double sum = 0;
          for (int j = 0; j <= t; j++) {
            sum += (double) weights.at(h, t, j) * v.at(j, kvHead, i);
          }
          worst = Math.max(worst, Math.abs(sum - out.at(t, h, i)));
          largest = Math.max(largest, Math.abs(sum));
        }
      }
    }
    assertThat(worst).as("layer %d", layer).isLessThan(tolerance * largest);
  }

  /** The soft cap on scores leaves the rest as it is. */
  @Test
  void valuesAreMixedUnderASoftCap() {
    Golden golden = Golden.load("rand-gemma2", "text64");
    export(golden.file(), "--tokens", ids(golden), "--what", PARTS);
    for (int layer = 0; layer < golden.layers(); layer++) {
      mixes(layer, 64, 1e-5);
    }
  }

  /** Matrix times vector, with a bias if the file has one. */
  private static double[] times(Weights weights, String name, NpyArray x, int token) {
    int in = (int) Arrays.stream(x.shape()).skip(1).reduce(1, (a, b) -> a * b);
    float[] matrix = weights.get(name + ".weight");
    double[] y = new double[matrix.length / in];
    for (int o = 0; o < y.length; o++) {
      for (int i = 0; i < in; i++) {
        y[o] += (double) matrix[o * in + i] * x.data().getFloat(4 * (token * in + i));
      }
      y[o] += weights.has(name + ".bias") ? weights.get(name + ".bias")[o] : 0;
    }
    return y;
  }

  @ParameterizedTest
  @ValueSource(strings = {"tinyllama-mha", "rand-qwen2", "rand-gpt2"})
  void headOutputsAndActivationsMakeTheResidualStream(String model) {
    Golden golden = Golden.load(model, "short");
    export(golden.file(), "--tokens", ids(golden), "--what", "hidden,head_outputs,mlp");
    var weights = new Weights(golden.file());
    NpyArray before = array("embedding");
    for (int layer = 0; layer < golden.layers(); layer++) {
      NpyArray heads = array("head_outputs_L" + layer);
      NpyArray mlp = array("mlp_L" + layer);
      NpyArray after = array("hidden_L" + layer);
      String block = "blk." + layer + ".";
      for (int t : new int[] {0, golden.ids().length - 1}) {
        double[] attention = times(weights, block + "attn_output", heads, t);
        double[] ffn = times(weights, block + "ffn_down", mlp, t);
        for (int i = 0; i < ffn.length; i++) {
          assertThat(before.at(t, i) + attention[i] + ffn[i])
              .as("layer %d, position %d, %d", layer, t, i)
              .isCloseTo(after.at(t, i), within(1e-4));
        }
      }
      before = after;
    }
  }

  @ParameterizedTest
  @MethodSource("org.modeltracer.llama.Runtimes#libraries")
  void everyGenerationOfLlamaCpp(Path library) {
    Golden golden = Golden.load("tinyllama-mha", "short");
    export(
        golden.file(), "--tokens", ids(golden), "--what", PARTS, "-ub", 9, "--llama-lib", library);
    for (int layer = 0; layer < golden.layers(); layer++) {
      mixes(layer, golden.ids().length, 1e-5);
      double[] row = attention(array("q_L" + layer), array("k_L" + layer), 1, 20);
      for (int j = 0; j < row.length; j++) {
        assertThat(row[j]).isCloseTo(golden.at("attn", layer, 1, 20, j), within(1e-4));
      }
    }
  }

  @Test
  void flashAttentionHasTheSameParts() {
    Golden golden = Golden.load("tinyllama-mha", "text64");
    export(golden.file(), "--tokens", ids(golden), "--what", PARTS, "-fa", "on");
    // The rows are computed again, not read; and the kernel rounds more than they do.
    mixes(0, 64, 1e-3);
    mixes(3, 64, 1e-3);
  }

  @Test
  void chosenHeadsAreThoseOfAllHeads() throws IOException {
    Path model = Path.of(Cli.MODEL);
    export(model, "--tokens", "0,53,260,275", "--what", "q,k,head_outputs", "--trace-layers", 2);
    NpyArray q = array("q_L2");
    NpyArray outputs = array("head_outputs_L2");
    NpyArray keys = array("k_L2");
    Cli some =
        export(
            model,
            "--tokens",
            "0,53,260,275",
            "--what",
            "q,k,head_outputs",
            "--trace-layers",
            2,
            "--trace-heads",
            "3,1",
            "--json");
    JsonNode first = some.json().get("files").get(0);
    assertThat(first.get("heads").toString()).isEqualTo("[1,3]");
    assertThat(first.get("axes").toString()).isEqualTo("[\"token\",\"head\",\"width\"]");
    assertThat(array("k_L2").data()).isEqualTo(keys.data());
    for (int t = 0; t < 4; t++) {
      for (int i = 0; i < q.shape()[2]; i++) {
        assertThat(array("q_L2").at(t, 0, i)).isEqualTo(q.at(t, 1, i));
        assertThat(array("q_L2").at(t, 1, i)).isEqualTo(q.at(t, 3, i));
        assertThat(array("head_outputs_L2").at(t, 1, i)).isEqualTo(outputs.at(t, 3, i));
      }
    }
  }

  /** Two experts are chosen for each token; what they write, weighted, is what the block adds. */
  @Test
  void aMixtureHasTheActivationsOfEachChosenExpert() {
    Golden golden = Golden.load("rand-mixtral", "short");
    Cli cli = export(golden.file(), "--tokens", ids(golden), "--what", "mlp", "--json");
    JsonNode entry = cli.json().get("files").get(0);
    assertThat(entry.get("axes").toString()).isEqualTo("[\"token\",\"choice\",\"width\"]");
    NpyArray mlp = array("mlp_L0");
    assertThat(mlp.shape()).containsExactly(golden.ids().length, 2, 96);
    // The two differ, and neither is a copy of the next token's.
    assertThat(mlp.at(3, 0, 5)).isNotEqualTo(mlp.at(3, 1, 5)).isNotEqualTo(mlp.at(4, 0, 5));
  }
}
