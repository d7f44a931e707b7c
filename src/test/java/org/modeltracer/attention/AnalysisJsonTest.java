package org.modeltracer.attention;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.modeltracer.model.HeadId;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.PropertyNamingStrategies;
import tools.jackson.databind.cfg.EnumFeature;
import tools.jackson.databind.json.JsonMapper;

class AnalysisJsonTest {
  private static final JsonMapper JSON =
      JsonMapper.builder()
          .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
          .enable(EnumFeature.WRITE_ENUMS_TO_LOWERCASE)
          .build();

  private static final HeadCosts COSTS =
      new HeadCosts() {
        @Override
        public int groups(int layer) {
          return 3;
        }

        @Override
        public int group(HeadId head) {
          return head.head();
        }

        @Override
        public long bytes(int layer, int group) {
          return 4096;
        }

        @Override
        public double flops(int layer, int group) {
          return 2048;
        }
      };

  @Test
  void theCatalogueIsThere() {
    var golden = Golden.read("tinyllama-mha", "text64");
    JsonNode json = json(golden.analyzed(AttentionOptions.defaults().withTokenScores()).result());
    JsonNode layer = json.at("/attention_weights/1");
    assertThat(layer.propertyNames())
        .containsExactly("layer_index", "heads", "layer_patterns", "layer_stats");
    assertThat(layer.at("/heads/2").propertyNames())
        .contains("head_index", "attention_matrix", "token_scores", "specialization_type")
        .contains("entropy", "max_attention", "sparsity");
    assertThat(layer.at("/heads/2/token_scores/5/most_attended/0/weight").asDouble())
        .isGreaterThan(0);
    assertThat(json.get("attention_patterns").propertyNames())
        .containsExactlyInAnyOrder(
            "diagonal_patterns", "vertical_patterns", "block_patterns", "repetitive_patterns");
    assertThat(json.get("head_specialization").propertyNames())
        .containsExactlyInAnyOrder(
            "layer_specialization",
            "head_clusters",
            "specialization_evolution",
            "redundancy_analysis");
    assertThat(json.get("attention_flow").propertyNames())
        .contains("flow_paths", "bottlenecks", "efficiency_metrics", "layer_flow_stats");
    assertThat(json.get("attention_stats").propertyNames())
        .contains("avg_entropy", "concentration_distribution")
        .contains("sparsity_distribution", "insights");
    assertThat(json.get("rollout").propertyNames())
        .contains("mean_attention", "max_attention", "attention_entropy")
        .contains("attention_concentration", "rollout_max", "rollout_entropy")
        .contains("batch_size", "seq_length", "tokens");
    assertThat(json.at("/rollout/rollout_entropy").asDouble())
        .isEqualTo(golden.metrics().at("/rollout/row_entropy_mean_nats").asDouble(), within(1e-4));
    assertThat(json.at("/attention_weights/0/heads/1/specialization_type").asString())
        .isEqualTo("positional");
    assertThat(json.at("/attention_stats/insights").size()).isGreaterThan(3);
    numbers(json, "").forEach((path, value) -> assertThat(value).as(path).isFinite());
  }

  /** Two unrelated inputs of the same shape: a number that stays is structural, or made up. */
  @Test
  void everyNumberMovesWithTheInputOrIsStructural() {
    Map<String, Double> one = numbers(json(analysis(1)), "");
    Map<String, Double> two = numbers(json(analysis(2)), "");
    var stuck = new ArrayList<String>();
    int compared = 0;
    for (var entry : one.entrySet()) {
      Double other = two.get(entry.getKey());
      if (other != null) {
        compared++;
        if (other.equals(entry.getValue()) && !structural(entry.getKey())) {
          stuck.add(entry.getKey() + " = " + other);
        }
      }
    }
    assertThat(compared).isGreaterThan(400);
    assertThat(stuck).isEmpty();
  }

  /**
   * What the shape of the model, of the prompt and of the tokens decides alone: indices and counts
   * of rows, costs of tensors; and scores that saturate at 0 or 1, or count whole heads.
   */
  private static boolean structural(String path) {
    return List.of(
                "/rows",
                "/count",
                "_index",
                "/position",
                "/offset",
                "/layer",
                "/head",
                "/prompts",
                "/batch_size",
                "/seq_length",
                "/cluster_id",
                "/start_position",
                "/end_position",
                "/path_length",
                "/kept_capacity",
                "/sampled_rows",
                "/bad_rows",
                "/example_prompt",
                "/memory_savings",
                "/computational_savings",
                "/involved_tokens",
                "/paths",
                "/from_layer",
                "/to_layer",
                "/layers",
                "/period",
                "/repetitions",
                "/lag")
            .stream()
            .anyMatch(
                name ->
                    path.endsWith(name)
                        || path.contains(name + "/")
                            && !name.equals("/layer")
                            && !name.equals("/head"))
        // follow from tokens and visible keys alone
        || path.contains("/measures/structural_base/")
        || path.contains("/measures/inside_base/")
        // the mean of rows that sum to 1
        || path.endsWith("/layer_stats/mean_attention")
        || path.endsWith("/rollout/mean_attention")
        // rows of one prompt: shares of few, that may agree or saturate
        || path.endsWith("/retrieval/mean")
        || path.endsWith("/retrieval/std")
        || path.contains("/layer_distribution/")
        || path.contains("/transitions/")
        || path.endsWith("/redundancy_score")
        || path.endsWith("/trend_correlation")
        || path.endsWith("/trend_p_value")
        || path.endsWith("/specialization/semantic")
        || path.endsWith("/specialization/syntactic")
        || path.endsWith("/specialization/positional")
        || path.endsWith("/confidence");
  }

  @Test
  void halvesMergedAreTheWhole() {
    var whole = new AttentionAnalyzer(Matrices.shape(3, 3), AttentionOptions.defaults());
    var left = new AttentionAnalyzer(Matrices.shape(3, 3), AttentionOptions.defaults());
    var right = new AttentionAnalyzer(Matrices.shape(3, 3), AttentionOptions.defaults());
    for (int prompt = 0; prompt < 6; prompt++) {
      for (var analyzer : List.of(whole, prompt % 2 == 0 ? left : right)) {
        feed(analyzer, prompt, new Random(100 + prompt));
      }
    }
    left.merge(right);
    Map<String, Double> want = numbers(json(whole.result(COSTS, null)), "");
    Map<String, Double> have = numbers(json(left.result(COSTS, null)), "");
    assertThat(have.keySet()).isEqualTo(want.keySet());
    want.forEach(
        (path, value) ->
            assertThat(have.get(path))
                .as(path)
                .isCloseTo(value, within(1e-9 + 1e-9 * Math.abs(value))));
  }

  @Test
  void samplesBeyondTheirBudgetStillMergeExactly() {
    var options = AttentionOptions.defaults().withBytes(4000, 1 << 20);
    var whole = new AttentionAnalyzer(Matrices.shape(3, 3), options);
    var left = new AttentionAnalyzer(Matrices.shape(3, 3), options);
    var right = new AttentionAnalyzer(Matrices.shape(3, 3), options);
    for (int prompt = 0; prompt < 6; prompt++) {
      feed(whole, prompt, new Random(100 + prompt));
      feed(prompt < 2 ? left : right, prompt, new Random(100 + prompt));
    }
    right.merge(left);
    assertThat(whole.sample.entries()).isNotEmpty().hasSizeLessThan(20);
    assertThat(right.sample.entries()).hasSameSizeAs(whole.sample.entries());
    for (int i = 0; i < whole.sample.entries().size(); i++) {
      assertThat(right.sample.entries().get(i).vectors())
          .isDeepEqualTo(whole.sample.entries().get(i).vectors());
    }
  }

  private static AttentionAnalysis analysis(int seed) {
    var analyzer =
        new AttentionAnalyzer(Matrices.shape(3, 3), AttentionOptions.defaults().withTokenScores());
    feed(analyzer, 5, new Random(seed));
    return analyzer.result(COSTS, null);
  }

  private static void feed(AttentionAnalyzer analyzer, int prompt, Random random) {
    int n = 32;
    analyzer.beginPrompt(0, prompt, tokens(prompt));
    analyzer.valueNorms((sequence, layer, head) -> norms(prompt, layer, head));
    double sharpness = 1 + random.nextDouble();
    Matrices.feed(analyzer, Matrices.random(3, 3, n, random, sharpness), 0, n);
    for (int l = 0; l < 3; l++) {
      for (int p = 0; p < n; p++) {
        for (int h = 0; h < 3; h++) {
          float size = (h + 1) * (h + 1);
          float[] out = {
            size * (float) random.nextGaussian(), size * (float) random.nextGaussian()
          };
          analyzer.headOutput(0, l, h, p, out, 0, 2);
        }
        analyzer.residual(
            l, 1 + random.nextDouble(), 2 + random.nextDouble(), random.nextDouble(), 1);
      }
    }
  }

  private static float[] norms(int prompt, int layer, int head) {
    var random = new Random(1000L * prompt + 10L * layer + head);
    float[] norms = new float[32];
    for (int i = 0; i < 32; i++) norms[i] = random.nextFloat();
    return norms;
  }

  private static TokenTrack tokens(int prompt) {
    var random = new Random(prompt);
    var track = new TokenTrack();
    for (int i = 0; i < 32; i++) {
      int id = random.nextInt(12);
      String text = id == 3 ? "." : " w" + id;
      track.append(id, text, TokenKind.of(text, i == 0));
    }
    return track;
  }

  private static JsonNode json(AttentionAnalysis analysis) {
    return JSON.readTree(JSON.writeValueAsString(analysis));
  }

  private static Map<String, Double> numbers(JsonNode node, String path) {
    var all = new TreeMap<String, Double>();
    if (node.isNumber()) {
      all.put(path, node.asDouble());
    } else if (node.isObject()) {
      node.properties().forEach(e -> all.putAll(numbers(e.getValue(), path + "/" + e.getKey())));
    } else if (node.isArray()) {
      for (int i = 0; i < node.size(); i++) all.putAll(numbers(node.get(i), path + "/" + i));
    }
    return all;
  }
}
