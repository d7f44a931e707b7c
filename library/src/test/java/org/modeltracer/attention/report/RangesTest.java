package org.modeltracer.attention.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.modeltracer.attention.AttentionCollector;
import org.modeltracer.attention.AttentionOptions;
import org.modeltracer.attention.GoldenAttention;
import org.modeltracer.attention.Matrices;
import org.modeltracer.attention.TokenTrack;
import org.modeltracer.model.AttentionRow;
import org.modeltracer.testing.Golden;
import org.modeltracer.trace.Json;
import tools.jackson.databind.JsonNode;

/** Chances are in [0, 1], entropies not below 0, shares in [0, 1], whatever the attention. */
class RangesTest {
  /** Fields that are chances or shares, or mean one. */
  private static final Pattern SHARE =
      Pattern.compile(
          "/(p_value|trend_p|confidence|attribution|pooled|max_flow|rollout_max|max_attention"
              + "|attention_concentration|bottleneck_impact|overall_efficiency|flow_redundancy"
              + "|information_preservation|total_strength|strength|severity|sparsity"
              + "|sparsity_ratio|overall_sparsity|mean_attention|redundancy_score|coverage)$"
              + "|/measures/(normalized_entropy|concentration|sparsity|self|previous_token|sink"
              + "|local|global|special|structural|inside|duplicate_token|induction|copies"
              + "|followers|retrieval|tail_mass)(_base)?/mean$"
              + "|/normalized_entropy_by_layer/|/specialization/(?!offset$|rows$)\\w+$");

  @Test
  void ofReferenceAttention() {
    int chances = 0;
    for (Golden golden : Golden.all()) {
      var collector = new GoldenAttention(golden).collect(AttentionOptions.defaults());
      Map<String, Double> numbers = requireInRange(golden.toString(), collector);
      chances += (int) numbers.keySet().stream().filter(p -> p.endsWith("/p_value")).count();
    }
    assertThat(chances).isGreaterThan(10);
  }

  /** One key each, or all alike, with what rounding adds to a weight. */
  @Test
  void ofRowsThatAddUpToALittleMoreThanOne() {
    var random = new Random(31);
    for (int round = 0; round < 20; round++) {
      int n = 40;
      float[][][][] attention =
          round % 2 == 0
              ? Matrices.random(6, 2, n, random, 1)
              : Matrices.bothWays(6, 2, n, random, 1);
      for (float[][][] layer : attention) {
        boolean sharp = random.nextBoolean();
        for (float[][] head : layer) {
          for (float[] row : head) {
            Arrays.fill(row, sharp ? 0 : Math.nextUp(1f / row.length));
            if (sharp) row[random.nextInt(row.length)] = Math.nextUp(1f);
          }
        }
      }
      var collector = Matrices.collect(new TokenTrack(), attention);
      Map<String, Double> numbers = requireInRange("round " + round, collector);
      assertThat(numbers.keySet()).anyMatch(path -> path.contains("entropy"));
      assertThat(collector.collected().rollout().rolloutEntropy()).isNotNull().isNotNegative();
    }
  }

  private static Map<String, Double> requireInRange(String where, AttentionCollector collector) {
    Map<String, Double> numbers = numbers(Json.mapper().valueToTree(Reported.of(collector)), "");
    numbers.forEach(
        (path, value) -> {
          if (SHARE.matcher(path).find()) {
            // Weights are floats, of which a row's sum may be off by as much.
            assertThat(value).as(where + path).isBetween(0.0, 1 + 1e-6);
          }
          if (path.matches(".*/(p_value|trend_p|confidence)|.*normalized_entropy.*/mean")) {
            assertThat(value).as(where + path).isBetween(0.0, 1.0);
          }
          if (path.contains("entropy")) {
            assertThat(value).as(where + path).isNotNegative();
          }
        });
    return numbers;
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

  /** Keys that a window hides are no keys: by a sum over what each row shows. */
  @Test
  void meanAttentionIsOverKeysInSight() {
    var random = new Random(32);
    for (int window : new int[] {1, 5, 16, 64}) {
      int n = 64;
      int layers = 3;
      var collector =
          new AttentionCollector(Matrices.shape(layers, 2), AttentionOptions.defaults());
      collector.beginPrompt(0, 0, new TokenTrack());
      double sum = 0;
      double largest = 0;
      long keys = 0;
      for (int l = 0; l < layers; l++) {
        // Every other layer is whole, as in gemma.
        int width = l % 2 == 0 ? window : n;
        var mean = new float[n][n];
        for (int h = 0; h < 2; h++) {
          for (int q = 0; q < n; q++) {
            int first = Math.max(0, q - width + 1);
            int size = q - first + 1;
            float[] w = Matrices.random(size, random, 1)[size - 1];
            for (int i = 0; i < size; i++) mean[q][first + i] += w[i] / 2;
            var segment = MemorySegment.ofArray(w);
            collector.row(new AttentionRow().at(l, h, 0, q, first, size, segment, 0));
          }
        }
        for (int q = 0; q < n; q++) {
          int first = Math.max(0, q - width + 1);
          keys += q - first + 1;
          for (int k = first; k <= q; k++) {
            sum += mean[q][k];
            if (q > first) largest = Math.max(largest, mean[q][k]);
          }
        }
      }
      collector.endForward();
      var rollout = Reported.of(collector).rollout();
      assertThat(rollout.meanAttention()).isEqualTo(sum / keys, within(1e-7));
      assertThat(rollout.maxAttention()).isEqualTo(largest, within(1e-6));
      var layer = Reported.of(collector).attentionWeights().get(0);
      assertThat(layer).isNotNull();
      double inSight = 0;
      for (int q = 0; q < n; q++) inSight += Math.min(window, q + 1);
      assertThat(layer.layerStats().meanAttention()).isEqualTo(n / inSight, within(1e-6));
    }
  }
}
