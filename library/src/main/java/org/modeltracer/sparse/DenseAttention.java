package org.modeltracer.sparse;

import java.util.Arrays;
import org.modeltracer.graph.TensorData;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Op;
import org.modeltracer.llama.Tensor;

/**
 * Attention as it would be if every visible key were seen: softmax of the layer's own queries and
 * keys, mean over the heads.
 *
 * <p>Learned sinks take a share that belongs to no key and are left out: weights sum to 1.
 */
final class DenseAttention {
  private final TensorData data;
  private final Tensor keyTensor;
  private final Vectors keys = new Vectors();
  private Vectors queries = new Vectors();
  private float[] line = {};
  private float[] mean = {};
  private int first;
  private float scale;
  private float softcap;

  DenseAttention(LlamaRuntime runtime) {
    data = new TensorData(runtime, false);
    keyTensor = new Tensor(runtime);
  }

  /** Copies a layer's keys. */
  void readKeys(long at) {
    keys.read(keyTensor.at(at), 2, data);
  }

  /** Keys of the layer at hand. */
  int keys() {
    return keys.rows();
  }

  /**
   * Begins with a layer whose attention node has just been computed, and whose keys are copied.
   *
   * @param firstKey number of the key that cell 0 is
   */
  void open(Tensor attention, Vectors of, int firstKey) {
    queries = of;
    first = firstKey;
    softcap = attention.op() == Op.FLASH_ATTN_EXT ? attention.floatParam(2) : 0;
    scale = softcap == 0 ? attention.floatParam(0) : attention.floatParam(0) / softcap;
  }

  /** Takes the weights of one head of a query, in the order of its keys; valid during the call. */
  interface Heads {
    void accept(int head, float[] weights);
  }

  /**
   * Weights of a query's keys, mean of the heads that see the same ones.
   *
   * @param group which of so many groups of heads
   * @param each takes those of each head
   * @return in the order of {@code cells}; valid until the next call
   */
  float[] mean(int row, int group, int groups, int[] cells, int n, Heads each) {
    if (mean.length < n) {
      mean = new float[cells.length];
      line = new float[cells.length];
    }
    Arrays.fill(mean, 0, n, 0);
    int sharing = queries.heads() / keys.heads();
    int heads = queries.heads() / groups;
    for (int h = group * heads; h < (group + 1) * heads; h++) {
      weights(row, h, h / sharing, cells, n);
      each.accept(h, line);
      for (int i = 0; i < n; i++) {
        mean[i] += line[i] / heads;
      }
    }
    return mean;
  }

  private void weights(int row, int head, int keyHead, int[] cells, int n) {
    double top = Double.NEGATIVE_INFINITY;
    for (int i = 0; i < n; i++) {
      double score =
          scale
              * Vectors.dot(
                  queries.values(),
                  queries.at(row, head),
                  keys.values(),
                  keys.at(first + cells[i], keyHead),
                  queries.width());
      line[i] = (float) (softcap == 0 ? score : softcap * Math.tanh(score));
      top = Math.max(top, line[i]);
    }
    double sum = 0;
    for (int i = 0; i < n; i++) {
      line[i] = (float) Math.exp(line[i] - top);
      sum += line[i];
    }
    for (int i = 0; i < n; i++) {
      line[i] = (float) (line[i] / sum);
    }
  }

  void close() {
    data.close();
  }
}
