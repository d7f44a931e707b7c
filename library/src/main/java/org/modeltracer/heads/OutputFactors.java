package org.modeltracer.heads;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.TensorInfo;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.weights.WeightFile;

/** The output matrices of all layers, reduced to what norms and inner products need of them. */
final class OutputFactors {
  private final Map<Integer, OutputFactor> byLayer = new HashMap<>();

  private OutputFactors() {}

  /** None: head outputs are then their mixed values. */
  static OutputFactors none() {
    return new OutputFactors();
  }

  /** Reads every layer's output matrix that the file has in a type that can be read. */
  static OutputFactors read(HeadLayout layout, GgufFile file, LlamaRuntime runtime) {
    try (var weights = new WeightFile(file, runtime)) {
      return read(layout, weights);
    }
  }

  private static OutputFactors read(HeadLayout layout, WeightFile weights) {
    var factors = new OutputFactors();
    for (int layer = 0; layer < layout.layers(); layer++) {
      int heads = layout.heads(layer);
      Optional<TensorInfo> output = layout.output(layer);
      if (output.isPresent() && fits(output.get(), heads) && weights.readable(output.get())) {
        var factor = new OutputFactor(heads, (int) output.get().dimension(0) / heads);
        float[] row = new float[(int) output.get().dimension(0)];
        weights.read(
            output.get(),
            (values, count) -> {
              for (long r = 0; r < count; r++) {
                MemorySegment.copy(
                    values, ValueLayout.JAVA_FLOAT, 4 * r * row.length, row, 0, row.length);
                factor.add(row);
              }
            });
        factors.byLayer.put(layer, factor.finish());
      }
    }
    return factors;
  }

  /** Multiplications that {@link #read} takes. */
  static double work(HeadLayout layout) {
    double work = 0;
    for (int layer = 0; layer < layout.layers(); layer++) {
      int heads = layout.heads(layer);
      Optional<TensorInfo> output = layout.output(layer);
      if (output.isPresent() && fits(output.get(), heads)) {
        work += (double) output.get().elements() * output.get().dimension(0) / heads / 2;
      }
    }
    return work;
  }

  private static boolean fits(TensorInfo output, int heads) {
    return heads > 0 && output.shape().size() == 2 && output.dimension(0) % heads == 0;
  }

  /** The factor of a layer, or null. */
  @Nullable OutputFactor of(int layer) {
    return byLayer.get(layer);
  }

  boolean isEmpty() {
    return byLayer.isEmpty();
  }
}
