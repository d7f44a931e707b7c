package org.modeltracer.quant;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.TensorInfo;
import org.modeltracer.weights.Dequantizer;
import org.modeltracer.weights.WeightFile;

/**
 * A seeded sample of the rows of a file's matrices, so that what is computed of a product does not
 * grow with the matrix. Read from the file: a backend may hold them in another order.
 */
final class WeightSample implements AutoCloseable {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
  private static final long SEED = 16;
  private static final int RUNS = 16;
  private static final int RUN = 4;

  private final WeightFile file;
  private final Map<String, double[]> squares = new HashMap<>();

  WeightSample(GgufFile gguf, Dequantizer ggml) {
    file = new WeightFile(gguf, ggml);
  }

  /** The file, whose single rows can be read too. */
  WeightFile file() {
    return file;
  }

  /** Mean square of each column, over the sample. */
  double[] squares(TensorInfo weight) {
    return squares.computeIfAbsent(weight.name(), _ -> measure(weight));
  }

  private double[] measure(TensorInfo weight) {
    int width = Math.toIntExact(weight.dimension(0));
    long rows = WeightFile.rows(weight);
    var sums = new double[width];
    var seen = new AtomicInteger();
    WeightFile.Rows add =
        (values, count) -> {
          seen.addAndGet((int) count);
          for (long r = 0; r < count; r++) {
            for (int i = 0; i < width; i++) {
              double w = values.get(FLOAT, 4 * (r * width + i));
              sums[i] += w * w;
            }
          }
        };
    if (rows <= RUNS * RUN) {
      file.read(weight, add);
    } else {
      var random = new Random(SEED);
      for (int run = 0; run < RUNS; run++) {
        long from = random.nextLong(rows - RUN + 1);
        file.read(weight, from, from + RUN, add);
      }
    }
    for (int i = 0; i < width; i++) {
      sums[i] /= seen.get();
    }
    return sums;
  }

  /**
   * The product of a row of a matrix with float32 values from byte {@code offset} on, in float64.
   */
  double product(TensorInfo weight, long row, MemorySegment values, long offset) {
    var sum = new double[1];
    file.read(
        weight,
        row,
        row + 1,
        (own, count) -> {
          for (int i = 0; i < weight.dimension(0); i++) {
            sum[0] += (double) own.get(FLOAT, 4L * i) * values.get(FLOAT, offset + 4L * i);
          }
        });
    return sum[0];
  }

  @Override
  public void close() {
    file.close();
  }
}
