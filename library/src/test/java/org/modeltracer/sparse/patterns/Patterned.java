package org.modeltracer.sparse.patterns;

import java.lang.foreign.MemorySegment;
import java.util.Random;
import org.modeltracer.model.AttentionRow;

/** Constructed attention of one layer, and what a trace says of it. */
final class Patterned {
  /** Unnormalized weight of a query on a key. */
  interface Rule {
    double weight(int query, int key);
  }

  private Patterned() {}

  /** A causal matrix {@code [query][key]}. */
  static float[][] causal(int n, Rule rule) {
    float[][] rows = new float[n][];
    for (int q = 0; q < n; q++) {
      rows[q] = row(q, q + 1, rule);
    }
    return rows;
  }

  /** A matrix each row of which sees all keys. */
  static float[][] bothWays(int n, Rule rule) {
    float[][] rows = new float[n][];
    for (int q = 0; q < n; q++) {
      rows[q] = row(q, n, rule);
    }
    return rows;
  }

  private static float[] row(int q, int keys, Rule rule) {
    double[] weights = new double[keys];
    double sum = 0;
    for (int k = 0; k < keys; k++) {
      weights[k] = rule.weight(q, k);
      sum += weights[k];
    }
    float[] row = new float[keys];
    for (int k = 0; k < keys; k++) {
      row[k] = (float) (weights[k] / sum);
    }
    return row;
  }

  /** Weights that follow nothing; the sharper, the farther from even. */
  static float[][] random(int n, long seed, double sharpness) {
    var random = new Random(seed);
    return causal(n, (q, k) -> Math.exp(sharpness * random.nextGaussian()));
  }

  /** Feeds heads as one text, in micro-batches. */
  static void feed(PatternTrace trace, int layer, int batch, float[][]... heads) {
    var row = new AttentionRow();
    int n = heads[0].length;
    for (int from = 0; from < n; from += batch) {
      for (int q = from; q < Math.min(n, from + batch); q++) {
        for (int h = 0; h < heads.length; h++) {
          float[] weights = heads[h][q];
          var segment = MemorySegment.ofArray(weights);
          trace.onAttentionRow(row.at(layer, h, 0, q, 0, weights.length, segment, 0));
        }
      }
    }
  }

  /** What is said of some heads. */
  static PatternReport report(float[][]... heads) {
    var trace = new PatternTrace(KeyCosts.unknown());
    trace.begin(KeyTokens.unknown());
    feed(trace, 0, heads[0].length, heads);
    return trace.report(0);
  }

  /** What is said of one head. */
  static HeadPattern head(float[][] matrix) {
    return report(new float[][][] {matrix}).heads().getFirst();
  }
}
