package org.modeltracer.gguf;

/** Recurrent layers: the state that llama.cpp keeps of them is as wide as they are. */
final class StateChecks {
  private static final String WIDTH = "ssm.inner_size";
  private static final String OUT = ".ssm_out.weight";

  /**
   * llama.cpp asserts that it is twice as wide as the stream; of others it looks at the tensors.
   */
  private static final String TWICE = "jamba";

  private StateChecks() {}

  static void run(LoadChecks checks) {
    long twice = 2 * checks.integer("embedding_length").orElse(0);
    if (checks.architecture().equals(TWICE) && checks.integer(WIDTH).orElse(0) != twice) {
      checks.report(checks.key(WIDTH), "must be twice the embedding_length, %d", twice);
      return;
    }
    for (TensorInfo tensor : checks.file().tensors()) {
      if (tensor.name().endsWith(OUT)
          && checks.integer(WIDTH).orElse(tensor.dimension(0)) != tensor.dimension(0)) {
        checks.report(
            checks.key(WIDTH),
            "differs from the width of %s, %d",
            tensor.name(),
            tensor.dimension(0));
        return;
      }
    }
  }
}
