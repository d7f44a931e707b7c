package org.modeltracer.probe;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.function.IntPredicate;
import org.jspecify.annotations.Nullable;
import org.modeltracer.graph.TensorData;
import org.modeltracer.kernels.Kernels;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Tensor;
import org.modeltracer.llama.TensorType;

/**
 * A fused attention node whose softmax rows are computed again from its own inputs, by {@link
 * FlashScores}.
 *
 * <p>Scores are {@code scale · q·k}, soft-capped to {@code cap · tanh(s / cap)} where the model
 * does, plus the head's slope times the mask (ALiBi, Press 2022); a learned sink adds its share to
 * the denominator only. All of it is read from the node, nothing from the model's metadata.
 */
final class FlashRows {
  /** Source of the learned sinks. */
  static final int SINKS = 4;

  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

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
  private final IntPredicate keysWanted = this::wantsKeys;
  private final IntPredicate queriesWanted = this::wantsQuery;
  private @Nullable IntPredicate heads;
  private float scale;
  private float maxBias;
  private float softcap;
  private int width;
  private int keyCount;
  private int queryCount;
  private int keyHeads;
  private int group;

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
    keyHeads = (int) keyTensor.ne(2);
    group = (int) queryTensor.ne(2) / keyHeads;
    heads = wanted;
    queries.open(queryTensor, queriesWanted);
    keys.open(keyTensor, keysWanted);
    if (hasSinks()) {
      sinkValues = sinks.open(sinkTensor.at(node.source(SINKS)));
    }
    width = (int) queryTensor.ne(0);
    keyCount = (int) keyTensor.ne(1);
    queryCount = (int) queryTensor.ne(1);
    vectors.open(Kernels.chosen(), queryCount * group >= PANELS_PAY);
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

  /** Whether two threads can read its rows: queries need no conversion, and streams are one. */
  boolean forTwo() {
    return queries.type().id() == TensorType.F32 && queryTensor.ne(3) == 1;
  }

  /** Reads all keys of the one stream, so that from here on two threads only read. */
  void readKeys() {
    vectors.prepare();
  }

  /** Whether heads have a learned sink, which takes a share that belongs to no key. */
  boolean hasSinks() {
    return node.source(SINKS) != 0;
  }

  /** Number of heads of keys. */
  int keyHeads() {
    return keyHeads;
  }

  /** Query heads that share a head of keys; they follow each other. */
  int group() {
    return group;
  }

  int keyCount() {
    return keyCount;
  }

  int queryCount() {
    return queryCount;
  }

  /** Width of queries and keys. */
  int width() {
    return width;
  }

  /** Copies a query vector. */
  void query(int head, int query, int stream, float[] target, int at) {
    long offset = query * queryTensor.nb(1) + head * queryTensor.nb(2) + stream * queryTensor.nb(3);
    boolean plain = queries.type().id() == TensorType.F32;
    MemorySegment vector = plain ? queries.values() : queries.floats(offset, width);
    long from = plain ? offset : queries.rowOffset();
    MemorySegment.copy(vector, FLOAT, from, target, at, width);
  }

  /** Products of query vectors with a head's keys in its first cells, as {@link KeyVectors}. */
  void products(float[] few, int rows, int keyHead, int stream, int cells, float[] into, int room) {
    vectors.products(few, rows, keyHead, stream, cells, into, room);
  }

  /** Makes a row of weights from the products with the keys in sight, in place. */
  void weights(int head, QueryView view, float[] products) {
    int n = view.keys().size();
    float remaining = scale;
    if (softcap != 0 || view.biased()) {
      double slope = slope(head);
      for (int i = 0; i < n; i++) {
        double score = scale * products[i];
        score = softcap == 0 ? score : softcap * Math.tanh(score);
        products[i] = (float) (score + slope * view.bias(i));
      }
      remaining = 1;
    }
    float sink = hasSinks() ? sinkValues.get(FLOAT, 4L * head) : Float.NEGATIVE_INFINITY;
    Kernels.chosen().softmax(products, n, remaining, sink);
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
