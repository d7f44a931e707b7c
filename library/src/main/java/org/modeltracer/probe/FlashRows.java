package org.modeltracer.probe;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import org.modeltracer.cache.RowKeys;
import org.modeltracer.graph.TensorData;
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
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  private final Tensor node;
  private final Tensor queryTensor;
  private final Tensor keyTensor;
  private final Tensor sinkTensor;
  private final TensorData queries;
  private final TensorData keys;
  private final TensorData sinks;
  private MemorySegment sinkValues = MemorySegment.NULL;
  private float[][] converted = {};
  private int[] convertedStream = {};
  private float[] query = {};
  private double[] scores = {};
  private float scale;
  private float maxBias;
  private float softcap;
  private int width;
  private int keyCount;
  private int group;

  FlashRows(LlamaRuntime runtime, boolean forceCopy) {
    node = new Tensor(runtime);
    queryTensor = new Tensor(runtime);
    keyTensor = new Tensor(runtime);
    sinkTensor = new Tensor(runtime);
    queries = new TensorData(runtime, forceCopy);
    keys = new TensorData(runtime, forceCopy);
    sinks = new TensorData(runtime, forceCopy);
  }

  /** Opens a node's inputs; they are still intact when the node has just been computed. */
  void open(Tensor fused) {
    node.at(fused.address());
    softcap = node.floatParam(2);
    scale = softcap == 0 ? node.floatParam(0) : node.floatParam(0) / softcap;
    maxBias = node.floatParam(1);
    queries.open(queryTensor.at(node.source(0)));
    keys.open(keyTensor.at(node.source(1)));
    if (hasSinks()) {
      sinkValues = sinks.open(sinkTensor.at(node.source(4)));
    }
    width = (int) queryTensor.ne(0);
    keyCount = (int) keyTensor.ne(1);
    int keyHeads = (int) keyTensor.ne(2);
    group = (int) queryTensor.ne(2) / keyHeads;
    if (converted.length < keyHeads) {
      converted = new float[keyHeads][];
      convertedStream = new int[keyHeads];
    }
    Arrays.fill(convertedStream, -1);
    if (query.length < width) {
      query = new float[width];
    }
    if (scores.length < keyCount) {
      scores = new double[keyCount];
    }
  }

  /** Whether heads have a learned sink, which takes a share that belongs to no key. */
  boolean hasSinks() {
    return node.source(4) != 0;
  }

  /**
   * Computes the row of one query.
   *
   * @param bias the mask's values for this query by cell, or null where there is no mask
   * @param target receives the weights of {@code visible}, in its order
   */
  void row(int head, int q, int stream, RowKeys visible, MaskRow bias, float[] target) {
    float[] k = keysOf(head / group, stream);
    long offset = q * queryTensor.nb(1) + head * queryTensor.nb(2) + stream * queryTensor.nb(3);
    MemorySegment from = queries.floats(offset, width);
    MemorySegment.copy(from, FLOAT, queries.rowOffset(), query, 0, width);
    double slope = slope(head);
    double max = Double.NEGATIVE_INFINITY;
    for (int i = 0; i < visible.size(); i++) {
      int cell = visible.cell(i);
      double score = scale * dot(k, cell * width);
      if (softcap != 0) {
        score = softcap * Math.tanh(score);
      }
      score += slope * bias.value(cell);
      scores[i] = score;
      max = score > max || Double.isNaN(score) ? score : max;
    }
    double sink = hasSinks() ? sinkValues.get(FLOAT, 4L * head) : Double.NEGATIVE_INFINITY;
    max = Math.max(max, sink);
    double sum = Math.exp(sink - max);
    for (int i = 0; i < visible.size(); i++) {
      scores[i] = Math.exp(scores[i] - max);
      sum += scores[i];
    }
    for (int i = 0; i < visible.size(); i++) {
      target[i] = (float) (scores[i] / sum);
    }
  }

  private float dot(float[] k, int from) {
    float a = 0;
    float b = 0;
    float c = 0;
    float d = 0;
    int i = 0;
    for (; i + 3 < width; i += 4) {
      a += query[i] * k[from + i];
      b += query[i + 1] * k[from + i + 1];
      c += query[i + 2] * k[from + i + 2];
      d += query[i + 3] * k[from + i + 3];
    }
    for (; i < width; i++) {
      a += query[i] * k[from + i];
    }
    return (a + b) + (c + d);
  }

  /** Keys of a key/value head as float32, converted once for all queries and heads of its group. */
  private float[] keysOf(int keyHead, int stream) {
    float[] k = converted[keyHead];
    if (k == null || k.length < keyCount * width) {
      k = converted[keyHead] = new float[keyCount * width];
    }
    if (convertedStream[keyHead] != stream) {
      for (int cell = 0; cell < keyCount; cell++) {
        long offset = cell * keyTensor.nb(1) + keyHead * keyTensor.nb(2) + stream * keyTensor.nb(3);
        MemorySegment from = keys.floats(offset, width);
        MemorySegment.copy(from, FLOAT, keys.rowOffset(), k, cell * width, width);
      }
      convertedStream[keyHead] = stream;
    }
    return k;
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

  void close() {
    queries.close();
    keys.close();
    sinks.close();
  }
}
