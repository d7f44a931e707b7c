package org.modeltracer.attention;

import java.lang.foreign.MemorySegment;
import java.util.Random;
import org.modeltracer.model.AttentionRow;
import org.modeltracer.model.ModelShape;

/** Constructed attention, {@code [layer][head][query][key]}, keys from 0, and how to feed it. */
public final class Matrices {
  private Matrices() {}

  /** Sizes of a model of so many layers and heads. */
  public static ModelShape shape(int layers, int heads) {
    return new ModelShape("test", layers, heads, heads, 64, 384, 256);
  }

  /** Tokens of which only the ids are known. */
  public static TokenTrack tokens(int... ids) {
    var track = new TokenTrack();
    for (int id : ids) {
      track.append(id, "", TokenKind.CONTENT);
    }
    return track;
  }

  /** A causal matrix from a rule that gives each row's unnormalized weight on a key. */
  public static float[][] matrix(int n, Rule rule) {
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

  /** Rows drawn at random; the sharper, the farther from uniform. */
  public static float[][] random(int n, Random random, double sharpness) {
    return matrix(n, (q, k) -> Math.exp(sharpness * random.nextGaussian()));
  }

  /** Random matrices of every layer and head. */
  public static float[][][][] random(
      int layers, int heads, int n, Random random, double sharpness) {
    var all = new float[layers][heads][][];
    for (float[][][] layer : all) {
      for (int h = 0; h < heads; h++) {
        layer[h] = random(n, random, sharpness);
      }
    }
    return all;
  }

  /** Random matrices of every layer and head, each query seeing all n keys. */
  public static float[][][][] bothWays(
      int layers, int heads, int n, Random random, double sharpness) {
    var all = new float[layers][heads][n][];
    for (float[][][] layer : all) {
      for (float[][] head : layer) {
        for (int q = 0; q < n; q++) head[q] = random(n, random, sharpness)[n - 1];
      }
    }
    return all;
  }

  /** Feeds queries {@code from} to {@code to} as one forward pass of sequence 0. */
  public static void feed(AttentionCollector collector, float[][][][] attention, int from, int to) {
    feed(collector, 0, attention, from, to);
  }

  /** Feeds queries {@code from} to {@code to} as one forward pass. */
  public static void feed(
      AttentionCollector collector, int sequence, float[][][][] attention, int from, int to) {
    rows(collector, sequence, attention, from, to);
    collector.endForward();
  }

  /** The rows alone, as a ubatch inside a longer pass shows them. */
  public static void rows(
      AttentionCollector collector, int sequence, float[][][][] attention, int from, int to) {
    var row = new AttentionRow();
    for (int l = 0; l < attention.length; l++) {
      for (int h = 0; h < attention[l].length; h++) {
        for (int q = from; q < to; q++) {
          float[] weights = attention[l][h][q];
          var segment = MemorySegment.ofArray(weights);
          collector.row(row.at(l, h, sequence, q, 0, weights.length, segment, 0));
        }
      }
    }
  }

  /** Collects one prompt, {@code [layer][head][query][key]}. */
  public static AttentionCollector collect(TokenTrack tokens, float[][][]... layers) {
    var collector =
        new AttentionCollector(shape(layers.length, layers[0].length), AttentionOptions.defaults());
    collector.beginPrompt(0, 1, tokens);
    feed(collector, layers, 0, layers[0][0].length);
    return collector;
  }

  /** One layer, one head. */
  public static AttentionCollector collect(float[][] matrix) {
    return collect(new TokenTrack(), new float[][][] {matrix});
  }

  /** Unnormalized weight of a query on a key. */
  public interface Rule {
    /** The weight, 0 or more. */
    double weight(int query, int key);
  }
}
