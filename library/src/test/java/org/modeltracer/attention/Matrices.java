package org.modeltracer.attention;

import java.lang.foreign.MemorySegment;
import java.util.Random;
import org.modeltracer.model.AttentionRow;
import org.modeltracer.model.ModelShape;

/** Constructed attention, {@code [layer][head][query][key]}, and how to feed it. */
final class Matrices {
  private Matrices() {}

  static ModelShape shape(int layers, int heads) {
    return new ModelShape("test", layers, heads, heads, 64, 384, 256);
  }

  /** A causal matrix from a rule that gives each row's unnormalized weight on a key. */
  static float[][] matrix(int n, Rule rule) {
    float[][] a = new float[n][];
    for (int q = 0; q < n; q++) {
      double[] w = new double[q + 1];
      double sum = 0;
      for (int k = 0; k <= q; k++) {
        w[k] = rule.weight(q, k);
        sum += w[k];
      }
      a[q] = new float[q + 1];
      for (int k = 0; k <= q; k++) {
        a[q][k] = sum == 0 ? (k == q ? 1 : 0) : (float) (w[k] / sum);
      }
    }
    return a;
  }

  static float[][] random(int n, Random random, double sharpness) {
    return matrix(n, (q, k) -> Math.exp(sharpness * random.nextGaussian()));
  }

  static float[][][][] random(int layers, int heads, int n, Random random, double sharpness) {
    var all = new float[layers][heads][][];
    for (float[][][] layer : all) {
      for (int h = 0; h < heads; h++) {
        layer[h] = random(n, random, sharpness);
      }
    }
    return all;
  }

  static void feed(AttentionAnalyzer analyzer, float[][][][] attention, int from, int to) {
    feed(analyzer, 0, attention, from, to);
  }

  static void feed(
      AttentionAnalyzer analyzer, int sequence, float[][][][] attention, int from, int to) {
    rows(analyzer, sequence, attention, from, to);
    analyzer.endForward();
  }

  /** The rows alone, as a ubatch inside a longer pass shows them. */
  static void rows(
      AttentionAnalyzer analyzer, int sequence, float[][][][] attention, int from, int to) {
    var row = new AttentionRow();
    for (int l = 0; l < attention.length; l++) {
      for (int h = 0; h < attention[l].length; h++) {
        for (int q = from; q < to; q++) {
          var weights = MemorySegment.ofArray(attention[l][h][q]);
          analyzer.row(row.at(l, h, sequence, q, 0, q + 1, weights, 0));
        }
      }
    }
  }

  static AttentionAnalyzer analyze(TokenTrack tokens, float[][][]... layers) {
    var analyzer =
        new AttentionAnalyzer(shape(layers.length, layers[0].length), AttentionOptions.defaults());
    analyzer.beginPrompt(0, 1, tokens);
    feed(analyzer, layers, 0, layers[0][0].length);
    return analyzer;
  }

  /** One layer, one head. */
  static AttentionAnalyzer analyze(float[][] matrix) {
    return analyze(new TokenTrack(), new float[][][] {matrix});
  }

  interface Rule {
    double weight(int query, int key);
  }
}
