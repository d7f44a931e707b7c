package org.modeltracer.heads;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.Objects;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.modeltracer.attention.Measure;
import org.modeltracer.attention.Quantity;
import org.modeltracer.attention.report.AttentionLayer;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.model.HeadId;
import org.modeltracer.testing.Architectures;
import org.modeltracer.testing.Golden;
import org.modeltracer.testing.LlamaReference;
import org.modeltracer.testing.Weights;

/** What heads write and could move, against the same computed from the weights at length. */
class HeadOutputTest {
  /** Values, what they become through W_O, and rows, all in double precision. */
  private static final class Brute {
    final LlamaReference reference;
    final Weights weights;
    final int heads;
    final int kvHeads;
    final int width;
    final int each;

    Brute(Path file, int[] ids) {
      reference = new LlamaReference(file, ids);
      weights = new Weights(file);
      var metadata = weights.file().metadata();
      heads = (int) metadata.integer("llama.attention.head_count").orElseThrow();
      kvHeads = (int) metadata.integer("llama.attention.head_count_kv").orElse(heads);
      width = (int) metadata.integer("llama.embedding_length").orElseThrow();
      each = width / heads;
    }

    /** Values of a layer: {@code [token][kv head · value width]}. */
    double[][] values(int layer) {
      double[][] in = layer == 0 ? reference.embedding : reference.hidden[layer - 1];
      float[] scale = weights.get("blk." + layer + ".attn_norm.weight");
      float[] w = weights.get("blk." + layer + ".attn_v.weight");
      double epsilon =
          weights.file().metadata().number("llama.attention.layer_norm_rms_epsilon").orElseThrow();
      double[][] values = new double[in.length][kvHeads * each];
      for (int t = 0; t < in.length; t++) {
        double squares = 0;
        for (double x : in[t]) {
          squares += x * x;
        }
        double norm = Math.sqrt(squares / width + epsilon);
        for (int o = 0; o < values[t].length; o++) {
          for (int i = 0; i < width; i++) {
            values[t][o] += w[o * width + i] * in[t][i] / norm * scale[i];
          }
        }
      }
      return values;
    }

    /** ‖z W_O,h‖ of a mixed or single value of a head. */
    double written(int layer, int head, double[] z) {
      float[] w = weights.get("blk." + layer + ".attn_output.weight");
      double squares = 0;
      for (int o = 0; o < width; o++) {
        double sum = 0;
        for (int i = 0; i < each; i++) {
          sum += w[o * width + head * each + i] * z[i];
        }
        squares += sum * sum;
      }
      return Math.sqrt(squares);
    }

    double[] value(double[][] values, int token, int head) {
      int from = head / (heads / kvHeads) * each;
      return Arrays.copyOfRange(values[token], from, from + each);
    }
  }

  @ParameterizedTest
  @CsvSource({"tinyllama-mha-f32.gguf", "tinyllama-gqa-f16.gguf"})
  void normsAreThoseOfTheWeights(String name) {
    Path file = Golden.model(name);
    int[] ids = Golden.load(name.replaceAll("-f\\d+.gguf", ""), "short").ids();
    var trace =
        Analysed.run(
            LlamaRuntime.load(),
            file,
            Analysed.exact(),
            (analysis, session) -> {
              analysis.begin(ids);
              session.evaluate(ids, false);
            });
    var brute = new Brute(file, ids);
    for (int l = 0; l < brute.reference.hidden.length; l++) {
      double[][] values = brute.values(l);
      for (int h = 0; h < brute.heads; h++) {
        compare(brute, values, l, h, head(trace, l, h));
      }
    }
    assertThat(trace.analysis().absent()).doesNotContainKey("measures.norm_weighted");
  }

  private static void compare(
      Brute brute, double[][] values, int layer, int head, AttentionLayer.Head found) {
    int n = values.length;
    double[] moved = new double[n];
    for (int j = 0; j < n; j++) {
      moved[j] = brute.written(layer, head, brute.value(values, j, head));
    }
    double output = 0;
    double entropy = 0;
    double distance = 0;
    double sink = 0;
    for (int q = 0; q < n; q++) {
      double[] row = brute.reference.attention[layer][head][q];
      double[] mixed = new double[brute.each];
      double total = 0;
      for (int j = 0; j <= q; j++) {
        double[] value = brute.value(values, j, head);
        for (int i = 0; i < mixed.length; i++) {
          mixed[i] += row[j] * value[i];
        }
        total += row[j] * moved[j];
      }
      output += brute.written(layer, head, mixed) / n;
      for (int j = 0; j <= q && q > 0; j++) {
        double share = row[j] * moved[j] / total;
        entropy -= share > 0 ? share * Math.log(share) / (n - 1) : 0;
        distance += share * (q - j) / (n - 1);
        sink += j == 0 ? share / (n - 1) : 0;
      }
    }
    String where = "L" + layer + "H" + head;
    Measure norm = Objects.requireNonNull(found.outputNorm());
    assertThat(norm.rows()).isEqualTo(n);
    near(where + " output", norm.mean(), output);
    near(where + " entropy", measure(found, Quantity.NORM_WEIGHTED_ENTROPY), entropy);
    near(where + " distance", measure(found, Quantity.NORM_WEIGHTED_DISTANCE), distance);
    near(where + " sink", measure(found, Quantity.NORM_WEIGHTED_SINK), sink);
  }

  private static void near(String what, double found, double want) {
    assertThat(found).as(what).isEqualTo(want, within(2e-4 + 2e-3 * Math.abs(want)));
  }

  private static double measure(AttentionLayer.Head head, Quantity quantity) {
    return Objects.requireNonNull(head.measures().get(quantity)).mean();
  }

  private static AttentionLayer.Head head(AttentionTrace trace, int layer, int head) {
    AttentionLayer in = trace.analysis().attentionWeights().get(layer);
    return Objects.requireNonNull(Objects.requireNonNull(in).heads().get(head));
  }

  /** Also where a head's output matrix has less than full rank, even nothing at all. */
  @Test
  void theFactorKeepsNormsAndInnerProducts() {
    var random = new Random(5);
    int heads = 3;
    int each = 8;
    int width = 20;
    float[][] w = new float[width][heads * each];
    for (float[] row : w) {
      for (int i = 0; i < row.length; i++) {
        row[i] = i < each ? 0 : (float) random.nextGaussian();
      }
      // The third head ignores a direction: its last column repeats the one before.
      row[3 * each - 1] = row[3 * each - 2];
    }
    var factor = new OutputFactor(heads, each);
    for (float[] row : w) {
      factor.add(row);
    }
    factor.finish();
    for (int h = 0; h < heads; h++) {
      float[] a = vector(random, each);
      float[] b = vector(random, each);
      float[] both = Arrays.copyOf(a, 2 * each);
      System.arraycopy(b, 0, both, each, each);
      float[] made = new float[2 * factor.room()];
      factor.apply(h, both, 2, made);
      float[] ra = Arrays.copyOf(made, each);
      float[] rb = Arrays.copyOfRange(made, factor.room(), factor.room() + each);
      double inner = dot(ra, rb);
      double norm = Math.sqrt(dot(ra, ra));
      double want = 0;
      double squares = 0;
      for (float[] row : w) {
        float[] own = Arrays.copyOfRange(row, h * each, (h + 1) * each);
        want += dot(own, a) * dot(own, b);
        squares += dot(own, a) * dot(own, a);
      }
      assertThat(inner).isEqualTo(want, within(1e-3));
      assertThat(norm).isEqualTo(Math.sqrt(squares), within(1e-4));
    }
  }

  private static float[] vector(Random random, int size) {
    float[] vector = new float[size];
    for (int i = 0; i < size; i++) {
      vector[i] = (float) random.nextGaussian();
    }
    return vector;
  }

  private static double dot(float[] a, float[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += (double) a[i] * b[i];
    }
    return sum;
  }

  /** Slices of Q, K, V and O: 128 × 128 floats by four heads; 256 wide with two groups of 64. */
  @ParameterizedTest
  @CsvSource({
    "tinyllama-mha-f32.gguf, 4, 3, 3, 65536, 32768",
    "tinyllama-gqa-f16.gguf, 2, 5, 1, 163840, 163840",
    "rand-gpt2-f32.gguf, 4, 2, 2, 16384, 8192"
  })
  void costsAreThoseOfTheTensors(
      String name, int groups, int head, int group, long bytes, double flops) {
    var costs = new TensorCosts(new HeadLayout(GgufFile.read(Golden.model(name))));
    assertThat(costs.known()).isTrue();
    assertThat(costs.groups(1)).isEqualTo(groups);
    assertThat(costs.group(new HeadId(1, head))).isEqualTo(group);
    assertThat(costs.bytes(1, group)).isEqualTo(bytes);
    assertThat(costs.flops(1, group)).isEqualTo(flops);
  }

  @ParameterizedTest
  @CsvSource({
    "deepseek2-moe-f16, latent",
    "phi3-dense-f16, fused",
    "qwen3next-moe-f16, gated",
    "mamba-dense-f16, none"
  })
  void otherLayoutsAreKnownOrAbsentWithAReason(String name, String kind) {
    var trace =
        Analysed.run(
            LlamaRuntime.load(),
            Architectures.model(name),
            Analysed.exact(),
            (analysis, session) -> {
              int[] ids = {1, 5, 9, 2, 7, 5, 9, 3};
              analysis.begin(ids);
              session.evaluate(ids, false);
            });
    var absent = trace.analysis().absent();
    String advice = "head_specialization.redundancy_analysis.pruning_recommendations";
    switch (kind) {
      case "latent" -> assertThat(absent).containsKey("measures.norm_weighted");
      case "none" -> assertThat(absent).containsKeys("measures.norm_weighted", advice, "rollout");
      default -> assertThat(absent).doesNotContainKeys("measures.norm_weighted", advice);
    }
    trace
        .analysis()
        .attentionWeights()
        .values()
        .forEach(
            layer ->
                layer
                    .heads()
                    .values()
                    .forEach(
                        head -> {
                          assertThat(Objects.requireNonNull(head.outputNorm()).mean()).isPositive();
                          assertThat(head.measures().containsKey(Quantity.NORM_WEIGHTED_ENTROPY))
                              .isEqualTo(!kind.equals("latent"));
                        }));
  }
}
