package org.modeltracer.gguf;

import java.util.regex.Pattern;

/** Weights of norms, and biases: ggml ends the process when one is not kept in F32. */
final class NormChecks {
  /** What is added to activations, or multiplied with them, value by value. */
  private static final Pattern IN_F32 =
      Pattern.compile("norm(_\\d+|_exps)?\\.(weight|bias)$|(?<!exps)\\.bias$");

  private NormChecks() {}

  static void run(LoadChecks checks) {
    for (TensorInfo tensor : checks.file().tensors()) {
      if (tensor.type() != GgmlType.F32 && IN_F32.matcher(tensor.name()).find()) {
        checks.reportTensor(
            tensor.name(),
            "is %s, llama.cpp needs f32 there: convert the model again, norms and biases in f32",
            tensor.type().ggmlName());
      }
    }
  }
}
