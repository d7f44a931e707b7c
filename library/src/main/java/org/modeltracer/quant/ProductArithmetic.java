package org.modeltracer.quant;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.modeltracer.gguf.GgmlType;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.TensorInfo;
import org.modeltracer.graph.TensorData;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Op;
import org.modeltracer.llama.Tensor;
import org.modeltracer.llama.TensorType;
import org.modeltracer.probe.NodeValues;
import org.modeltracer.weights.WeightFile;

/**
 * What rounding explains of a product with a matrix of the file.
 *
 * <p>Errors of independent roundings add up in squares: {@code Σ w² σ²} over the activations, whose
 * σ is that of their rounding, and {@code u² Σ (w x)²} for weights and sums.
 */
final class ProductArithmetic implements AutoCloseable {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
  private static final int COLUMNS = 16;

  /** Batches of which a product's numbers are computed again. */
  private static final int MEASURED = 4;

  private final GgufFile file;
  private final Precision precision;
  private final WeightSample weights;
  private final TensorData data;
  private final Tensor matrix;
  private final Tensor input;
  private final Tensor ids;
  private final Map<Integer, Integer> measured = new HashMap<>();

  ProductArithmetic(LlamaRuntime runtime, GgufFile file, Precision precision) {
    this.file = file;
    this.precision = precision;
    weights = new WeightSample(file, runtime);
    data = new TensorData(runtime, false);
    matrix = new Tensor(runtime);
    input = new Tensor(runtime);
    ids = new Tensor(runtime);
  }

  /** A matrix of the file and the vectors it meets, so many of them for each row of the product. */
  private record Factors(TensorInfo weight, MemorySegment vectors, int each) {}

  /** What is explained of a product's rows; null where it is none with a matrix of the file. */
  @Nullable Explained of(NodeValues values) {
    Factors factors = factors(values.tensor(), values.rows());
    return factors == null
        ? null
        : new Explained(errors(factors, values.rows(), values.width()), sample(values, factors));
  }

  /**
   * The same of a product that is the source of the node at hand, and may have been overwritten.
   *
   * @return the expected error of each row; null where the product is none with a matrix of the
   *     file
   */
  double @Nullable [] errors(Tensor product, int rows) {
    Factors factors = factors(product, rows);
    return factors == null
        ? null
        : errors(factors, rows, Math.toIntExact(product.elements() / rows));
  }

  private @Nullable Factors factors(Tensor product, int rows) {
    TensorInfo weight = file.tensor(matrix.at(product.source(0)).name()).orElse(null);
    input.at(product.source(1));
    long vectors = input.elements() / input.ne(0);
    return weight == null
            || !weights.file().readable(weight)
            || weight.dimension(0) != input.ne(0)
            || input.type() != TensorType.F32
            || input.nb(0) != 4
            || vectors % rows != 0
        ? null
        : new Factors(weight, data.open(input), (int) (vectors / rows));
  }

  private double[] errors(Factors factors, int rows, int width) {
    TensorInfo weight = factors.weight();
    MemorySegment x = factors.vectors();
    int n = Math.toIntExact(weight.dimension(0));
    double[] square = weights.squares(weight);
    double sum = precision.sum(n, weight.type() == GgmlType.F32);
    double own = precision.weight() * precision.weight() + sum * sum;
    var variance = new double[n];
    var error = new double[rows];
    for (int row = 0; row < rows; row++) {
      double mean = 0;
      for (int v = 0; v < factors.each(); v++) {
        long offset = offset((long) row * factors.each() + v);
        precision.activations(weight.type(), x, offset, n, variance);
        for (int i = 0; i < n; i++) {
          double value = x.get(FLOAT, offset + 4L * i);
          mean += square[i] * (variance[i] + own * value * value);
        }
      }
      error[row] = Math.sqrt(mean / factors.each() * width);
    }
    return error;
  }

  private long offset(long vector) {
    long j = vector / input.ne(1);
    return vector % input.ne(1) * input.nb(1)
        + j % input.ne(2) * input.nb(2)
        + j / input.ne(2) * input.nb(3);
  }

  /** Numbers of one row, chosen by the node and by how often it was met. */
  private List<Explained.Exact> sample(NodeValues values, Factors factors) {
    TensorInfo weight = factors.weight();
    int index = values.node().index();
    int times = measured.merge(index, 1, Integer::sum);
    if (times > MEASURED) {
      return List.of();
    }
    Tensor node = values.tensor();
    var random = new Random(31L * index + times);
    int row = random.nextInt(values.rows());
    int perVector = Math.toIntExact(node.ne(0));
    boolean experts = node.op() == Op.MUL_MAT_ID;
    if (!experts && perVector != WeightFile.rows(weight)) {
      return List.of();
    }
    var sample = new ArrayList<Explained.Exact>();
    for (int i = 0; i < Math.min(COLUMNS, values.width()); i++) {
      int column = random.nextInt(values.width());
      int slot = column / perVector;
      long line = column % perVector;
      if (experts) {
        line += expert(node, slot, row) * weight.dimension(1);
      }
      long vector = (long) row * factors.each() + slot % factors.each();
      double exact = weights.product(weight, line, factors.vectors(), offset(vector));
      sample.add(new Explained.Exact(row, column, exact));
    }
    return sample;
  }

  private long expert(Tensor node, int slot, int row) {
    ids.at(node.source(2));
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment one = arena.allocate(4, 4);
      ids.read(slot * ids.nb(0) + row * ids.nb(1), one, 4);
      return one.get(ValueLayout.JAVA_INT, 0);
    }
  }

  @Override
  public void close() {
    weights.close();
    data.close();
  }
}
