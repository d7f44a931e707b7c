package org.modeltracer.gguf;

import java.util.regex.Pattern;

/**
 * Types of tensors: ggml ends the process when a norm, a bias or a scale is not kept in F32, and
 * multiplies with no whole numbers and no doubles.
 */
final class NormChecks {
  /** What is added to activations, or multiplied with them, value by value. */
  private static final Pattern IN_F32 =
      Pattern.compile(
          "norm(_\\d+|_exps)?\\.(weight|bias)$|(?<!exps)\\.bias$|\\.scale$|attn_sinks\\.weight$");

  /** Tables of indices, which are no factors. */
  private static final String TABLE = "tid2eid";

  private NormChecks() {}

  static void run(LoadChecks checks) {
    for (TensorInfo tensor : checks.file().tensors()) {
      if (tensor.type() != GgmlType.F32 && IN_F32.matcher(tensor.name()).find()) {
        checks.reportTensor(
            tensor.name(),
            "is %s, llama.cpp needs f32 there: convert the model again, norms and biases in f32",
            tensor.type().ggmlName());
      } else if ((tensor.type().integer() || tensor.type() == GgmlType.F64)
          && tensor.name().endsWith(".weight")
          && !tensor.name().contains(TABLE)) {
        checks.reportTensor(
            tensor.name(),
            "is %s, which llama.cpp cannot multiply with: convert the model again, to f32, f16 or"
                + " a quantized type",
            tensor.type().ggmlName());
      }
    }
  }
}
