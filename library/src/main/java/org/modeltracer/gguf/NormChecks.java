package org.modeltracer.gguf;

import java.util.List;
import java.util.OptionalDouble;
import java.util.regex.Pattern;

/**
 * What norms add before they take a root, and their weights: ggml ends the process when the former
 * is below zero or NaN, and when the latter, or a bias, is not kept in F32.
 */
final class NormChecks {
  private static final List<String> EPSILONS =
      List.of(
          "attention.layer_norm_rms_epsilon",
          "attention.layer_norm_epsilon",
          "attention.group_norm_epsilon");

  /** What is added to activations, or multiplied with them, value by value. */
  private static final Pattern IN_F32 =
      Pattern.compile("norm(_\\d+|_exps)?\\.(weight|bias)$|(?<!exps)\\.bias$");

  private NormChecks() {}

  static void run(LoadChecks checks) {
    for (String name : EPSILONS) {
      String key = checks.key(name);
      OptionalDouble epsilon = checks.metadata().number(key);
      if (epsilon.isPresent() && !(epsilon.getAsDouble() >= 0)) {
        checks.report(key, "must be 0 or more");
      }
    }
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
