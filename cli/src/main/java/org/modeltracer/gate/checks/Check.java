package org.modeltracer.gate.checks;

/** A question that the gate asks of a model file. Stateless; the subject holds what is shared. */
public interface Check {
  /** Name in policies and results: group, dot, snake case, such as {@code forward.finite}. */
  String id();

  /** One line that says what is checked, for {@code --list}. */
  String description();

  /** What the check needs before it can run. */
  Needs needs();

  /**
   * Runs the check.
   *
   * @throws org.modeltracer.llama.LlamaException when llama.cpp fails; the check then ends as an
   *     error
   */
  CheckResult run(Subject subject);

  /** What has to be at hand for a check, in ascending order. */
  enum Needs {
    /** The file alone; no native code. */
    FILE,
    /** llama.cpp's library, the model not loaded: conversions of weights. */
    RUNTIME,
    /** The model loaded. */
    MODEL,
    /** A reference file beside it. */
    REFERENCE
  }
}
