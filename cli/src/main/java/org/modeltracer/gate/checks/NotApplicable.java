package org.modeltracer.gate.checks;

/** Why a question cannot be asked of a file; the check is then skipped. */
final class NotApplicable extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** A reason in one sentence, without the check's name. */
  NotApplicable(String reason) {
    super(reason);
  }
}
