package org.modeltracer.gguf;

import java.util.List;
import java.util.OptionalDouble;

/** What norms add before they take a root: ggml ends the process when it is below zero or NaN. */
final class NormChecks {
  private static final List<String> EPSILONS =
      List.of(
          "attention.layer_norm_rms_epsilon",
          "attention.layer_norm_epsilon",
          "attention.group_norm_epsilon");

  private NormChecks() {}

  static void run(LoadChecks checks) {
    for (String name : EPSILONS) {
      String key = checks.key(name);
      OptionalDouble epsilon = checks.metadata().number(key);
      if (epsilon.isPresent() && !(epsilon.getAsDouble() >= 0)) {
        checks.report(key, "must be 0 or more");
      }
    }
  }
}
