package org.modeltracer.diagnose;

import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.TensorInfo;
import org.modeltracer.graph.TensorData;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Op;
import org.modeltracer.llama.Tensor;
import org.modeltracer.llama.TensorObserver;
import org.modeltracer.llama.TensorType;
import org.modeltracer.weights.WeightFile;

/**
 * Measures the matrix products with a file's weights, pass by pass: what goes in, the sums of its
 * neighbours, what comes out, and for a few rows the sums on the way there. Rows with values that
 * are not finite are left out.
 */
public final class ProductWatch implements TensorObserver, AutoCloseable {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
  private static final int COMPUTED = 16;
  private static final int BLOCK = 32;

  /** Rows of a weight, and of the activations of a pass, whose sums are followed. */
  private static final int SAMPLE = 8;

  /** Largest magnitudes of one product so far. */
  private static final class Peaks {
    private final boolean experts;
    private boolean exact = true;
    private double activation;
    private double blockSum;
    private double halfBlockSum;
    private double result;
    private double partial;

    Peaks(boolean experts) {
      this.experts = experts;
    }
  }

  private final GgufFile file;
  private final WeightFile weights;
  private final TensorData data;
  private final Tensor source;
  private final Map<String, Peaks> products = new LinkedHashMap<>();
  private int flags;

  /**
   * A watch for the products of a file's model.
   *
   * @throws UncheckedIOException when the file cannot be read
   */
  public ProductWatch(LlamaRuntime runtime, GgufFile file) {
    this.file = file;
    weights = new WeightFile(file, runtime);
    data = new TensorData(runtime, false);
    source = new Tensor(runtime);
  }

  /** The products in the order in which they were first computed. */
  public List<ProductRange> products() {
    List<ProductRange> ranges = new ArrayList<>();
    products.forEach(
        (weight, p) ->
            ranges.add(
                new ProductRange(
                    weight,
                    file.tensor(weight).orElseThrow().type(),
                    p.experts,
                    p.exact,
                    p.activation,
                    p.blockSum,
                    p.halfBlockSum,
                    p.result,
                    p.partial)));
    return List.copyOf(ranges);
  }

  /** Branches that llama.cpp did not select are asked for too; where it marks the others. */
  @Override
  public boolean wants(Tensor node) {
    flags |= node.flags();
    boolean computed = (flags & COMPUTED) == 0 || (node.flags() & COMPUTED) != 0;
    return computed && node.elements() > 0 && weight(node).isPresent();
  }

  /** The weight of a product whose other side, and whose result, is dense rows of float32. */
  private Optional<String> weight(Tensor node) {
    if (node.op() != Op.MUL_MAT && node.op() != Op.MUL_MAT_ID) {
      return Optional.empty();
    }
    boolean floats = source.at(node.source(1)).type() == TensorType.F32 && source.nb(0) == 4;
    return floats && node.type() == TensorType.F32
        ? file.tensor(source.at(node.source(0)).name()).map(TensorInfo::name)
        : Optional.empty();
  }

  @Override
  public void observe(Tensor node) {
    String weight = weight(node).orElseThrow();
    Peaks peaks = products.computeIfAbsent(weight, _ -> new Peaks(node.op() == Op.MUL_MAT_ID));
    peaks.exact &= node.intParam(0) != 0;
    each(source.at(node.source(1)), (values, at, n) -> activations(values, at, n, peaks));
    each(node, (values, at, n) -> results(values, at, n, peaks));
    if (!peaks.experts) {
      weights
          .tensor(weight)
          .filter(w -> WeightFile.rows(w) == node.ne(0))
          .ifPresent(w -> partials(w, source.at(node.source(1)), peaks));
    }
  }

  /** One row of a tensor. */
  private interface Row {
    void read(MemorySegment values, long offset, long n);
  }

  private void each(Tensor t, Row row) {
    MemorySegment values = data.open(t);
    long n = t.ne(0);
    for (long k = 0; k < t.ne(3); k++) {
      for (long j = 0; j < t.ne(2); j++) {
        for (long i = 0; i < t.ne(1); i++) {
          row.read(values, i * t.nb(1) + j * t.nb(2) + k * t.nb(3), n);
        }
      }
    }
  }

  private static void activations(MemorySegment values, long offset, long n, Peaks peaks) {
    double largest = largest(values, offset, n);
    if (!Double.isFinite(largest)) {
      return;
    }
    peaks.activation = Math.max(peaks.activation, largest);
    for (long from = 0; from + BLOCK <= n; from += BLOCK) {
      double first = sum(values, offset + 4 * from);
      double second = sum(values, offset + 4 * from + 2 * BLOCK);
      double half = Math.max(Math.abs(first), Math.abs(second));
      peaks.halfBlockSum = Math.max(peaks.halfBlockSum, half);
      peaks.blockSum = Math.max(peaks.blockSum, Math.abs(first + second));
    }
  }

  private static double sum(MemorySegment values, long offset) {
    double sum = 0;
    for (int i = 0; i < BLOCK / 2; i++) {
      sum += values.get(FLOAT, offset + 4L * i);
    }
    return sum;
  }

  private static void results(MemorySegment values, long offset, long n, Peaks peaks) {
    double largest = largest(values, offset, n);
    if (Double.isFinite(largest)) {
      peaks.result = Math.max(peaks.result, largest);
    }
  }

  /** What the backend holds may be packed differently, so the weight is read from its file. */
  private void partials(TensorInfo weight, Tensor activations, Peaks peaks) {
    MemorySegment values = data.open(activations);
    long rows = WeightFile.rows(weight);
    long tokens = activations.ne(1);
    long n = Math.min(weight.dimension(0), activations.ne(0));
    long stride = activations.nb(1);
    for (int i = 0; i < Math.min(rows, SAMPLE); i++) {
      long row = i * rows / Math.min(rows, SAMPLE);
      weights.read(
          weight,
          row,
          row + 1,
          (factors, _) -> {
            for (int j = 0; j < Math.min(tokens, SAMPLE); j++) {
              long token = j * tokens / Math.min(tokens, SAMPLE);
              double largest = largestSum(factors, values, token * stride, n);
              peaks.partial = Math.max(peaks.partial, largest);
            }
          });
    }
  }

  /** The largest magnitude of the sums of the first products; 0 where one of them is none. */
  private static double largestSum(
      MemorySegment factors, MemorySegment values, long offset, long n) {
    double sum = 0;
    double largest = 0;
    for (long i = 0; i < n; i++) {
      sum += (double) factors.get(FLOAT, 4 * i) * values.get(FLOAT, offset + 4 * i);
      largest = Math.max(largest, Math.abs(sum));
    }
    return Double.isFinite(largest) ? largest : 0;
  }

  /** The largest magnitude; NaN where one of the values is none. */
  private static double largest(MemorySegment values, long offset, long n) {
    float largest = 0;
    for (long i = 0; i < n; i++) {
      largest = Math.max(largest, Math.abs(values.get(FLOAT, offset + 4 * i)));
    }
    return largest;
  }

  @Override
  public void close() {
    data.close();
    weights.close();
  }
}
