package org.modeltracer.probe;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.function.IntPredicate;
import org.jspecify.annotations.Nullable;
import org.modeltracer.cache.RowKeys;
import org.modeltracer.graph.TensorData;
import org.modeltracer.kernels.Kernels;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Tensor;

/**
 * Softmax rows of a fused attention node, computed again from its own inputs.
 *
 * <p>Scores are {@code scale · q·k}, soft-capped to {@code cap · tanh(s / cap)} where the model
 * does, plus the head's slope times the mask (ALiBi, Press 2022); a learned sink adds its share to
 * the denominator only. All of it is read from the node, nothing from the model's metadata.
 */
final class FlashRows {
  /** Source of the learned sinks. */
  static final int SINKS = 4;

  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  /** Rows of a product that keep its registers busy. */
  private static final int TILE = 4;

  /** Rows from which on laying keys out in panels costs less than it gains. */
  private static final int PANELS_PAY = 32;

  private final Tensor node;
  private final Tensor queryTensor;
  private final Tensor keyTensor;
  private final Tensor sinkTensor;
  private final TensorData queries;
  private final TensorData keys;
  private final TensorData sinks;
  private MemorySegment sinkValues = MemorySegment.NULL;
  private final KeyVectors vectors;
  private final IntPredicate keyHeads = this::wantsKeys;
  private final IntPredicate queryHeads = this::wantsQuery;
  private @Nullable IntPredicate heads;
  private float[] few = {};
  private float[][] scores = {};
  private int[] firstQuery = {};
  private int[] scoredStream = {};
  private int[] scoredCells = {};
  private float scale;
  private float maxBias;
  private float softcap;
  private int width;
  private int keyCount;
  private int queryCount;
  private int group;
  private int block;
  private int room;

  FlashRows(LlamaRuntime runtime, boolean forceCopy) {
    node = new Tensor(runtime);
    queryTensor = new Tensor(runtime);
    keyTensor = new Tensor(runtime);
    sinkTensor = new Tensor(runtime);
    queries = new TensorData(runtime, forceCopy);
    keys = new TensorData(runtime, forceCopy);
    vectors = new KeyVectors(keyTensor, keys);
    sinks = new TensorData(runtime, forceCopy);
  }

  /**
   * Opens a node's inputs; they are still intact when the node has just been computed.
   *
   * @param wanted which heads will be asked for; null for all
   */
  void open(Tensor fused, @Nullable IntPredicate wanted) {
    node.at(fused.address());
    softcap = node.floatParam(2);
    scale = softcap == 0 ? node.floatParam(0) : node.floatParam(0) / softcap;
    maxBias = node.floatParam(1);
    queryTensor.at(node.source(0));
    keyTensor.at(node.source(1));
    heads = wanted;
    group = (int) (queryTensor.ne(2) / keyTensor.ne(2));
    queries.open(queryTensor, queryHeads);
    keys.open(keyTensor, keyHeads);
    if (hasSinks()) {
      sinkValues = sinks.open(sinkTensor.at(node.source(SINKS)));
    }
    width = (int) queryTensor.ne(0);
    keyCount = (int) keyTensor.ne(1);
    queryCount = (int) queryTensor.ne(1);
    int groups = (int) keyTensor.ne(2);
    // Heads that share keys are rows of one product; queries beside each other fill up its tiles.
    block = TILE / greatestCommonDivisor(group, TILE);
    Kernels kernels = Kernels.chosen();
    vectors.open(kernels, queryCount * group >= PANELS_PAY);
    room = (keyCount / kernels.panel() + 1) * kernels.panel();
    int rows = group * block;
    if (scores.length < groups) {
      scores = new float[groups][];
      firstQuery = new int[groups];
      scoredStream = new int[groups];
      scoredCells = new int[groups];
    }
    for (int h = 0; h < groups; h++) {
      if (scores[h] == null || scores[h].length < rows * room) {
        scores[h] = new float[rows * room];
      }
    }
    Arrays.fill(scoredStream, -1);
    if (few.length < rows * width) {
      few = new float[rows * width];
    }
  }

  private boolean wantsQuery(int head) {
    return wantsKeys(head / group);
  }

  /** Heads that share keys are computed together. */
  private boolean wantsKeys(int keyHead) {
    IntPredicate asked = heads;
    if (asked == null) {
      return true;
    }
    for (int head = keyHead * group; head < (keyHead + 1) * group; head++) {
      if (asked.test(head)) {
        return true;
      }
    }
    return false;
  }

  private static int greatestCommonDivisor(int a, int b) {
    return b == 0 ? a : greatestCommonDivisor(b, a % b);
  }

  /** Whether heads have a learned sink, which takes a share that belongs to no key. */
  boolean hasSinks() {
    return node.source(SINKS) != 0;
  }

  /**
   * Computes the row of one query.
   *
   * @param bias the mask's values for this query by cell
   * @param biased whether any of them is not 0
   * @param target receives the weights of {@code visible}, in its order
   */
  void row(
      int head, int q, int stream, RowKeys visible, MaskRow bias, boolean biased, float[] target) {
    int keyHead = head / group;
    int from = at(head, q, stream, visible.last());
    float[] scored = scores[keyHead];
    int n = visible.size();
    if (visible.adjacent()) {
      System.arraycopy(scored, from + visible.cell(0), target, 0, n);
    } else {
      for (int i = 0; i < n; i++) {
        target[i] = scored[from + visible.cell(i)];
      }
    }
    float remaining = scale;
    if (softcap != 0 || biased) {
      double slope = slope(head);
      for (int i = 0; i < n; i++) {
        double score = scale * target[i];
        score = softcap == 0 ? score : softcap * Math.tanh(score);
        target[i] = (float) (score + slope * bias.value(visible.cell(i)));
      }
      remaining = 1;
    }
    float sink = hasSinks() ? sinkValues.get(FLOAT, 4L * head) : Float.NEGATIVE_INFINITY;
    Kernels.chosen().softmax(target, n, remaining, sink);
  }

  /** Where the scores of a query begin in those of its head's keys; computes them if need be. */
  private int at(int head, int q, int stream, int lastCell) {
    int keyHead = head / group;
    int first = q / block * block;
    if (scoredStream[keyHead] != stream
        || firstQuery[keyHead] != first
        || scoredCells[keyHead] <= lastCell) {
      int queriesHere = Math.min(block, queryCount - first);
      for (int i = 0; i < queriesHere; i++) {
        for (int h = 0; h < group; h++) {
          long offset =
              (first + i) * queryTensor.nb(1)
                  + (keyHead * group + h) * queryTensor.nb(2)
                  + stream * queryTensor.nb(3);
          MemorySegment vector = queries.floats(offset, width);
          int row = (i * group + h) * width;
          MemorySegment.copy(vector, FLOAT, queries.rowOffset(), few, row, width);
        }
      }
      // Under a causal mask the block's last query sees a cell more than its first for each
      // between.
      int cells = Math.min(keyCount, lastCell + queriesHere);
      vectors.products(few, queriesHere * group, keyHead, stream, cells, scores[keyHead], room);
      scoredStream[keyHead] = stream;
      firstQuery[keyHead] = first;
      scoredCells[keyHead] = cells;
    }
    return ((q - first) * group + head % group) * room;
  }

  private double slope(int head) {
    if (maxBias <= 0) {
      return 1;
    }
    int heads = (int) queryTensor.ne(2);
    int power = Integer.highestOneBit(heads);
    return head < power
        ? Math.pow(2, -maxBias / power * (head + 1))
        : Math.pow(2, -maxBias / 2 / power * (2 * (head - power) + 1));
  }

  long bytesCopied() {
    return queries.bytesCopied() + keys.bytesCopied() + sinks.bytesCopied();
  }

  void close() {
    queries.close();
    keys.close();
    sinks.close();
    vectors.close();
  }
}
