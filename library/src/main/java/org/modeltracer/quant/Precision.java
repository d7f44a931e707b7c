package org.modeltracer.quant;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.modeltracer.gguf.GgmlType;
import org.modeltracer.llama.CacheType;
import org.modeltracer.llama.ContextOptions;

/**
 * How finely numbers are kept on the coarser of two sides: relative root mean square errors of one
 * rounding.
 *
 * @param offloads whether a side may compute on something else than a processor, whose kernels
 *     round what they multiply to F16 or to 8 bits whatever the weights are
 * @param cache of keys and values in the cache
 */
record Precision(boolean offloads, double cache) {
  /** Unit roundoff of float32, 2⁻²⁴, and of F16, 2⁻¹¹. */
  static final double FLOAT = 0x1p-24;

  static final double HALF = 0x1p-11;

  /** Subnormal numbers of F16 are so far apart. */
  static final double HALF_STEP = 0x1p-24;

  /** Activations are kept in 8 bits, −127 to 127, in blocks of 32, or of 256 for K quants. */
  private static final int LEVELS = 127;

  private static final int BLOCK = 32;
  private static final int SUPER_BLOCK = 256;

  private static final ValueLayout.OfFloat VALUE = ValueLayout.JAVA_FLOAT_UNALIGNED;

  static Precision of(ContextOptions one, ContextOptions two, boolean offloads) {
    double cache = offloads ? HALF : 8 * FLOAT;
    for (ContextOptions side : new ContextOptions[] {one, two}) {
      cache = Math.max(cache, unit(side.cache().keys()));
      cache = Math.max(cache, unit(side.cache().values()));
    }
    return new Precision(offloads, cache);
  }

  /** Of a block of quantized numbers: half a step of its largest, which is some 3 of the mean. */
  private static double unit(CacheType type) {
    return switch (type) {
      case F32 -> 8 * FLOAT;
      case F16 -> HALF;
      case BF16 -> 0x1p-8;
      case Q8_0 -> 3.0 / LEVELS / 2;
      case Q5_0, Q5_1 -> 3.0 / 15 / 2;
      case Q4_0, Q4_1, IQ4_NL -> 3.0 / 7 / 2;
    };
  }

  /** Of a number that is computed from few others. */
  double few() {
    return offloads ? 0x1p-14 : 0x1p-20;
  }

  /** Of activation functions: a processor may look them up in tables of F16. */
  double function() {
    return HALF;
  }

  /** Of weights on their way into a product. */
  double weight() {
    return offloads ? HALF : FLOAT;
  }

  /** Of a sum of {@code n} products, relative to the root of the sum of their squares. */
  double sum(int n, boolean floats) {
    return (offloads && !floats ? HALF : FLOAT) * Math.sqrt(n);
  }

  /**
   * Adds to each activation's variance what rounding it explains, for a product with weights of a
   * type.
   *
   * @param row {@code n} float32 values from byte {@code offset} on
   * @param variance receives {@code n} squared errors
   */
  void activations(GgmlType weights, MemorySegment row, long offset, int n, double[] variance) {
    double share =
        weights == GgmlType.F32 && !offloads ? FLOAT : weights == GgmlType.BF16 ? 0x1p-8 : HALF;
    int block = !weights.quantized() ? n : weights.blockSize() == SUPER_BLOCK ? SUPER_BLOCK : BLOCK;
    for (int from = 0; from < n; from += block) {
      int to = Math.min(n, from + block);
      double largest = 0;
      for (int i = from; i < to; i++) {
        largest = Math.max(largest, Math.abs(row.get(VALUE, offset + 4L * i)));
      }
      // A rounding to a step is off by the step over √12.
      double step = weights.quantized() ? largest / LEVELS / Math.sqrt(12) : 0;
      double least = share >= HALF ? HALF_STEP : 0;
      for (int i = from; i < to; i++) {
        double rounded = share * Math.abs(row.get(VALUE, offset + 4L * i));
        variance[i] = step * step + rounded * rounded + least * least;
      }
    }
  }
}
