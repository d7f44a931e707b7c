package org.modeltracer.gate.checks;

import java.util.List;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.TensorInfo;

/**
 * Matrices of fewer than three bits per weight, below which models lose quality fast: the first
 * suspect when a sound file answers badly, and no fault by itself.
 */
final class FewBits {
  private static final double FEW = 3;

  /** Where rounding hurts most: what every token passes, and what is written to the residual. */
  private static final List<String> SENSITIVE =
      List.of("attn_v", "attn_output", "ffn_down", "output.weight", "token_embd");

  private FewBits() {}

  static List<Evidence> of(GgufFile file) {
    List<TensorInfo> matrices =
        file.tensors().stream().filter(tensor -> tensor.shape().size() > 1).toList();
    List<TensorInfo> few = matrices.stream().filter(tensor -> bits(tensor) < FEW).toList();
    if (few.isEmpty()) {
      return List.of();
    }
    TensorInfo first =
        few.stream()
            .filter(tensor -> SENSITIVE.stream().anyMatch(tensor.name()::contains))
            .findFirst()
            .orElse(few.getFirst());
    return List.of(
        Evidence.ofTensor(
            "few_bits",
            Severity.INFO,
            first.name(),
            null,
            "%d of %d matrices have fewer than 3 bits per weight, %s among them (%s, %.2f)"
                .formatted(
                    few.size(),
                    matrices.size(),
                    first.name(),
                    first.type().ggmlName(),
                    bits(first))));
  }

  private static double bits(TensorInfo tensor) {
    return 8.0 * tensor.type().blockBytes() / tensor.type().blockSize();
  }
}
