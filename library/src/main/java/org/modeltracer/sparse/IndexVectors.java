package org.modeltracer.sparse;

import org.modeltracer.graph.TensorData;
import org.modeltracer.llama.Tensor;

/**
 * What a fused indexer multiplies: {@code I(t, s) = Σ_j w(t, j) · ReLU(q(t, j) · k(s))}
 * (DeepSeek-V3.2 report, equation 1); scales are within the weights.
 */
final class IndexVectors {
  private static final float[] NONE = {};

  private final Vectors queries = new Vectors();
  private final Vectors keys = new Vectors();
  private final Vectors weights = new Vectors();
  private final Vectors turn = new Vectors();
  private boolean turned;

  /** Copies the inputs of a node that has just been computed. */
  void read(Tensor node, Tensor window, TensorData data) {
    queries.read(window.at(node.source(0)), 1, data);
    keys.read(window.at(node.source(1)), 1, data);
    weights.read(window.at(node.source(2)), 2, data);
  }

  /** Copies the matrix that the queries have just been multiplied by. */
  void readTurn(Tensor node, Tensor window, TensorData data) {
    turn.read(window.at(node.source(0)), 2, data);
    turned = true;
  }

  /** The matrix that queries and keys were multiplied by, {@code [out, in]}; empty for none. */
  float[] turn() {
    return turned ? turn.values() : NONE;
  }

  int heads() {
    return queries.heads();
  }

  /** Queries, {@code [query, head, width]}. */
  Vectors queries() {
    return queries;
  }

  /** Cached keys, {@code [cell, 1, width]}. */
  Vectors keys() {
    return keys;
  }

  /** Weight of a head in a query's score. */
  float weight(int row, int head) {
    return weights.values()[row * weights.width() + head];
  }

  /** What each head adds to the scores of a query: {@code [head, key]}. */
  void headScores(int row, int[] cells, int n, float[][] into) {
    int width = queries.width();
    for (int h = 0; h < heads(); h++) {
      float weight = weight(row, h);
      for (int i = 0; i < n; i++) {
        double product =
            Vectors.dot(
                queries.values(), queries.at(row, h), keys.values(), keys.at(cells[i], 0), width);
        into[h][i] = (float) (weight * Math.max(0, product));
      }
    }
  }
}
