package org.modeltracer.attention.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.modeltracer.attention.AttentionCollector;
import org.modeltracer.attention.AttentionOptions;
import org.modeltracer.attention.CollectedAttention;
import org.modeltracer.attention.GoldenAttention;
import org.modeltracer.attention.Matrices;
import org.modeltracer.attention.TokenKind;
import org.modeltracer.attention.TokenTrack;
import org.modeltracer.model.HeadId;
import org.modeltracer.model.ResidualChange;
import org.modeltracer.trace.Json;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class AnalysisJsonTest {
  private static final int LAYERS = 5;
  private static final int SEEDS = 12;
  private static final JsonMapper JSON = Json.mapper();

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
    var golden = GoldenAttention.load("tinyllama-mha", "text64");
    JsonNode json =
        json(Reported.of(golden.collect(AttentionOptions.defaults().withTokenScores())));
    JsonNode layer = json.at("/attention_weights/1");
    assertThat(layer.propertyNames())
        .containsExactly("layer", "heads", "layer_patterns", "layer_stats");
    assertThat(layer.at("/heads/2").propertyNames())
        .contains("head", "attention_matrix", "token_scores", "specialization_type")
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
            "head_tree",
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

  @Test
  void evidenceComesInOrderOfName() {
    var insights = analysis(1).attentionStats().insights();
    assertThat(insights)
        .extracting(AttentionInsight::insightType)
        .contains(
            AttentionInsight.Type.HEAD_SPECIALIZATION,
            AttentionInsight.Type.OPTIMIZATION_OPPORTUNITY);
    assertThat(insights)
        .allSatisfy(insight -> assertThat(List.copyOf(insight.evidence().keySet())).isSorted());
  }

  @Test
  void whatWasCollectedStaysAsItWas() {
    var options = AttentionOptions.defaults().withTokenScores().withMatrices(1 << 20);
    var collector = new AttentionCollector(Matrices.shape(LAYERS, 3), options);
    feed(collector, 5, new Random(1));
    CollectedAttention collected = collector.collected();
    JsonNode before = json(AttentionAnalysis.of(collected, AnalysisContext.defaults()));
    for (int prompt = 0; prompt < 5; prompt++) {
      feed(collector, prompt, new Random(2 + prompt));
    }
    feed(collector, 5, new Random(9));
    assertThat(json(AttentionAnalysis.of(collected, AnalysisContext.defaults()))).isEqualTo(before);
    assertThat(json(Reported.of(collector))).isNotEqualTo(before);
  }

  /** Unrelated inputs of one shape: a number that never moves is structural, or made up. */
  @Test
  void everyNumberMovesWithTheInputOrIsStructural() {
    var seen = new TreeMap<String, Set<Double>>();
    var times = new TreeMap<String, Integer>();
    for (int seed = 1; seed <= SEEDS; seed++) {
      numbers(json(analysis(seed)), "")
          .forEach(
              (full, value) -> {
                String path = pooled(full);
                seen.computeIfAbsent(path, p -> new TreeSet<>()).add(value);
                times.merge(path, 1, Integer::sum);
              });
    }
    assertThat(seen).hasSizeGreaterThan(1000);
    assertThat(seen)
        .allSatisfy(
            (path, values) -> {
              if (times.get(path) >= SEEDS / 2 && !structural(path)) {
                assertThat(values).as(path).hasSizeGreaterThan(1);
              }
            });
  }

  /**
   * Counts of three heads by label, of the few rows that copy, layers in lists ordered by something
   * else, and what is 0 below a bound agree often: one number for all.
   */
  private static String pooled(String path) {
    return path.replaceAll("(layer_distribution)/.*", "$1")
        .replaceAll("(transitions|bottlenecks)/\\d+/(strength|layer)$", "$1/$2")
        .replaceAll("/\\d+/heads/\\d+(/measures/retrieval)", "$1")
        .replaceAll("/\\d+/heads/\\d+(/specialization/(special_token|global))", "$1")
        .replaceAll("(pruning_recommendations)/\\d+(/confidence)", "$1$2");
  }

  /** What the shapes of model and prompt, the tokens and the model's tensors decide alone. */
  private static boolean structural(String path) {
    return STRUCTURAL.stream().anyMatch(pattern -> pattern.matcher(path).find());
  }

  private static final List<Pattern> STRUCTURAL =
      Stream.of(
              // counts and indices
              "/(rows|prompts|example_prompt|batch_size|seq_length|bad_rows|sampled_rows|paths)$",
              "/(cka_positions|output_positions)$",
              "/(position|end_position|target|from_layer|to_layer|cluster_id)$",
              "/(layer|head)$",
              "/evidence/(rows|layers|paths)$",
              "/involved_tokens/",
              "/token_flow/(positions/\\d+|layers/\\d+/links/\\d+/(from|to))$",
              // costs of tensors
              "/(memory_savings|computational_savings|bytes)$",
              // 1 less a chance below 1e-16; the chance itself moves
              "/insights/\\d+/confidence$",
              // base rates quoted as evidence
              "/evidence/expected$",
              // base rates follow from tokens and visible keys
              "/(structural_base|inside_base|local_base|global_base|special_base)/",
              // position 0 sees itself only, nothing sees the last position
              "/token_scores/0/(attention_given|self_attention|most_attended/0/weight)$",
              "/token_scores/63/attention_received$",
              "/flow_steps/4/strength$",
              // rows sum to 1
              "/(layer_stats|rollout)/mean_attention$")
          .map(Pattern::compile)
          .toList();

  @Test
  void halvesMergedAreTheWhole() {
    var whole = new AttentionCollector(Matrices.shape(LAYERS, 3), AttentionOptions.defaults());
    var left = new AttentionCollector(Matrices.shape(LAYERS, 3), AttentionOptions.defaults());
    var right = new AttentionCollector(Matrices.shape(LAYERS, 3), AttentionOptions.defaults());
    for (int prompt = 0; prompt < 6; prompt++) {
      for (var collector : List.of(whole, prompt % 2 == 0 ? left : right)) {
        feed(collector, prompt, new Random(100 + prompt));
      }
    }
    left.merge(right);
    Map<String, Double> want = numbers(json(Reported.of(whole, COSTS)), "");
    Map<String, Double> have = numbers(json(Reported.of(left, COSTS)), "");
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
    var whole = new AttentionCollector(Matrices.shape(LAYERS, 3), options);
    var left = new AttentionCollector(Matrices.shape(LAYERS, 3), options);
    var right = new AttentionCollector(Matrices.shape(LAYERS, 3), options);
    for (int prompt = 0; prompt < 6; prompt++) {
      feed(whole, prompt, new Random(100 + prompt));
      feed(prompt < 2 ? left : right, prompt, new Random(100 + prompt));
    }
    right.merge(left);
    var want = whole.collected().rows();
    var have = right.collected().rows();
    assertThat(want).isNotEmpty().hasSizeLessThan(20);
    assertThat(have).hasSameSizeAs(want);
    for (int i = 0; i < want.size(); i++) {
      assertThat(have.get(i).vectors()).isDeepEqualTo(want.get(i).vectors());
    }
  }

  private static AttentionAnalysis analysis(int seed) {
    var collector =
        new AttentionCollector(
            Matrices.shape(LAYERS, 3), AttentionOptions.defaults().withTokenScores());
    feed(collector, 5, new Random(seed));
    return Reported.of(collector, COSTS);
  }

  private static void feed(AttentionCollector collector, int prompt, Random random) {
    int n = 64;
    collector.beginPrompt(0, prompt, tokens(prompt));
    collector.valueNorms((sequence, layer, head) -> norms(prompt, layer, head));
    var attention = new float[LAYERS][3][][];
    for (float[][][] layer : attention) {
      for (int h = 0; h < 3; h++) {
        double sharpness = 1 + random.nextDouble();
        double decay = 1.1 * random.nextDouble() - 0.1;
        int back = random.nextInt(6);
        layer[h] =
            Matrices.matrix(
                n,
                (q, k) ->
                    Math.exp(sharpness * random.nextGaussian() - decay * Math.abs(q - k - back)));
      }
    }
    if (random.nextInt(4) == 0) {
      attention[1][2] = attention[0][0];
    }
    Matrices.feed(collector, attention, 0, n);
    float[] sizes = new float[3];
    for (int l = 0; l < LAYERS; l++) {
      for (int h = 0; h < 3; h++) sizes[h] = (float) Math.exp(2 * random.nextGaussian());
      for (int p = 0; p < n; p++) {
        for (int h = 0; h < 3; h++) {
          float size = sizes[h];
          float[] out = {
            size * (float) random.nextGaussian(), size * (float) random.nextGaussian()
          };
          collector.headOutput(0, l, h, p, out, 0, 2);
        }
        double in = 100 + random.nextDouble();
        double out = 200 + random.nextDouble();
        double cosine = random.nextDouble();
        collector.onResidual(l, new ResidualChange().add(in, random.nextDouble(), out, cosine));
      }
    }
  }

  private static float[] norms(int prompt, int layer, int head) {
    var random = new Random(1000L * prompt + 10L * layer + head);
    float[] norms = new float[64];
    for (int i = 0; i < 64; i++) norms[i] = random.nextFloat();
    return norms;
  }

  private static TokenTrack tokens(int prompt) {
    var random = new Random(prompt);
    var track = new TokenTrack();
    for (int i = 0; i < 64; i++) {
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
