package org.modeltracer.quant;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.modeltracer.graph.TensorData;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Op;
import org.modeltracer.llama.Tensor;
import org.modeltracer.probe.NodeValues;

/**
 * What rounding explains of attention: of its weights, and of the values that they weigh.
 *
 * <p>A score is off by {@code u · scale · √Σ (q k)²}, here with the largest key of each dimension;
 * a weight by twice that share of itself, as its row's sum is off too. Errors of different keys are
 * independent: what is weighed is off by the norm of the weights' errors times the largest value.
 */
final class AttentionArithmetic implements AutoCloseable {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
  private static final int STEPS = 8;

  private final Precision precision;
  private final TensorData data;
  private final LlamaRuntime runtime;
  private final Map<Integer, double[]> weightErrors = new HashMap<>();

  AttentionArithmetic(LlamaRuntime runtime, Precision precision) {
    this.runtime = runtime;
    this.precision = precision;
    data = new TensorData(runtime, false);
  }

  /** Of rows {@code [query, head]}; null where queries and keys cannot be told. */
  @Nullable Explained weights(NodeValues values) {
    int layer = values.node().place().layer();
    weightErrors.remove(layer);
    Tensor node = values.tensor();
    Tensor product = node.op() == Op.FLASH_ATTN_EXT ? node : product(node, node.data());
    if (product == null) {
      return null;
    }
    boolean fused = product == node;
    Tensor queries = tensor(product.source(fused ? 0 : 1));
    Tensor keys = tensor(product.source(fused ? 1 : 0));
    if (queries.ne(2) * queries.ne(1) * queries.ne(3) != values.rows()
        || queries.ne(0) != keys.ne(0)
        || keys.nb(0) != runtime.type(keys.type()).blockBytes()) {
      return null;
    }
    double[] score = scores(queries, keys, scale(node));
    var rounded = new double[score.length];
    var explained = new double[score.length];
    for (int row = 0; row < score.length; row++) {
      double norm = weightNorm(values, row);
      rounded[row] = (2 * score[row] + precision.cache()) * norm;
      explained[row] = (2 * score[row] + precision.few()) * norm;
    }
    weightErrors.put(layer, rounded);
    return new Explained(explained, List.of());
  }

  private static double scale(Tensor node) {
    double cap = node.op() == Op.FLASH_ATTN_EXT ? node.floatParam(2) : 0;
    double scale = Math.abs(node.floatParam(0));
    return cap == 0 ? scale : scale / cap * Math.max(1, cap);
  }

  private Tensor tensor(long address) {
    return new Tensor(runtime).at(address);
  }

  /** The product behind softmax, as long as each step overwrote the one before. */
  private @Nullable Tensor product(Tensor from, long place) {
    Tensor t = from;
    for (int step = 0; step < STEPS && t.data() == place; step++) {
      if (t.op() == Op.MUL_MAT) {
        return t;
      }
      if (t.source(0) == 0) {
        return null;
      }
      t = tensor(t.source(0));
    }
    return null;
  }

  /** Errors of the scores of {@code [query, head]}. */
  private double[] scores(Tensor queries, Tensor keys, double scale) {
    int width = (int) queries.ne(0);
    int heads = (int) queries.ne(2);
    int tokens = (int) queries.ne(1);
    double[][] largest = new double[(int) keys.ne(2)][width];
    data.open(keys);
    for (int stream = 0; stream < keys.ne(3); stream++) {
      for (int h = 0; h < largest.length; h++) {
        for (long cell = 0; cell < keys.ne(1); cell++) {
          long offset = cell * keys.nb(1) + h * keys.nb(2) + stream * keys.nb(3);
          MemorySegment key = data.floats(offset, width);
          long at = data.rowOffset();
          for (int i = 0; i < width; i++) {
            float k = Math.abs(key.get(FLOAT, at + 4L * i));
            largest[h][i] = k > largest[h][i] ? k : largest[h][i];
          }
        }
      }
    }
    data.open(queries);
    var errors = new double[heads * tokens * (int) queries.ne(3)];
    for (int stream = 0; stream < queries.ne(3); stream++) {
      for (int t = 0; t < tokens; t++) {
        for (int h = 0; h < heads; h++) {
          MemorySegment query =
              data.floats(t * queries.nb(1) + h * queries.nb(2) + stream * queries.nb(3), width);
          double[] key = largest[h * largest.length / heads];
          double sum = 0;
          for (int i = 0; i < width; i++) {
            double term = query.get(FLOAT, data.rowOffset() + 4L * i) * key[i];
            sum += term * term;
          }
          errors[(stream * tokens + t) * heads + h] = precision.cache() * scale * Math.sqrt(sum);
        }
      }
    }
    return errors;
  }

  /** The norm of a row of weights; 1, its most, where one of them is not known. */
  private static double weightNorm(NodeValues values, int row) {
    double norm = norm(values, row);
    return Double.isNaN(norm) ? 1 : norm;
  }

  private static double norm(NodeValues values, int row) {
    double sum = 0;
    for (int i = 0; i < values.width(); i++) {
      double x = values.values().get(FLOAT, 4L * ((long) row * values.width() + i));
      sum += x * x;
    }
    return Math.sqrt(sum);
  }

  /** Of what the weights make of the values; null where they or the values cannot be told. */
  @Nullable Explained context(NodeValues values) {
    double[] weights = weightErrors.get(values.node().place().layer());
    Tensor product = behind(values.tensor());
    if (weights == null || product == null || weights.length % values.rows() != 0) {
      return null;
    }
    boolean fused = product.op() == Op.FLASH_ATTN_EXT;
    Tensor weighed = tensor(product.source(fused ? 2 : 0));
    if (weighed.nb(0) != runtime.type(weighed.type()).blockBytes()) {
      return null;
    }
    double[] largest = largest(weighed, fused ? 1 : 0);
    int heads = weights.length / values.rows();
    double keys = weighed.ne(fused ? 1 : 0);
    var explained = new double[values.rows()];
    for (int row = 0; row < explained.length; row++) {
      double sum = 0;
      for (int h = 0; h < heads; h++) {
        double error = weights[row * heads + h] * largest[h * largest.length / heads];
        sum += error * error;
      }
      double added = precision.cache() * Math.sqrt(keys) / 4 * norm(values, row);
      explained[row] = Math.sqrt(sum + added * added);
    }
    return new Explained(explained, List.of());
  }

  /** The product whose numbers a node rearranges. */
  private @Nullable Tensor behind(Tensor node) {
    Tensor t = node;
    for (int step = 0; step < STEPS; step++) {
      if (t.op() == Op.FLASH_ATTN_EXT || t.op() == Op.MUL_MAT) {
        return t;
      }
      if (t.source(0) == 0) {
        return null;
      }
      t = tensor(t.source(0));
    }
    return null;
  }

  /** The largest norm of a value, by head. */
  private double[] largest(Tensor weighed, int cells) {
    data.open(weighed);
    int width = (int) weighed.ne(0);
    var norms = new double[(int) weighed.ne(2)];
    for (int h = 0; h < norms.length; h++) {
      for (int stream = 0; stream < weighed.ne(3); stream++) {
        var squares = new double[(int) weighed.ne(cells)];
        for (int j = 0; j < weighed.ne(1); j++) {
          MemorySegment row =
              data.floats(j * weighed.nb(1) + h * weighed.nb(2) + stream * weighed.nb(3), width);
          for (int i = 0; i < width; i++) {
            double v = row.get(FLOAT, data.rowOffset() + 4L * i);
            squares[cells == 0 ? i : j] += v * v;
          }
        }
        norms[h] = Math.max(norms[h], Math.sqrt(Arrays.stream(squares).max().orElse(0)));
      }
    }
    return norms;
  }

  @Override
  public void close() {
    data.close();
  }
}
