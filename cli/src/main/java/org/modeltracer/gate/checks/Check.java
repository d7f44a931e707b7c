package org.modeltracer.gate.checks;

import java.util.List;
import org.modeltracer.anomaly.AnomalyKind;
import org.modeltracer.gguf.GgufException;
import org.modeltracer.llama.LlamaException;

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
   * @throws LlamaException when llama.cpp fails; the check then ends as an error
   */
  CheckResult run(Subject subject);

  /** Kinds of anomalies that are this check's to judge, and not {@code forward.anomalies}'. */
  default List<AnomalyKind> anomalies() {
    return List.of();
  }

  /** The result of the check, whatever comes of it; never throws on account of the file. */
  default CheckResult ask(Subject subject) {
    try {
      return run(subject);
    } catch (NotApplicable e) {
      return CheckResult.of(id(), Verdict.SKIPPED, String.valueOf(e.getMessage()));
    } catch (LlamaException | GgufException e) {
      return CheckResult.of(id(), Verdict.ERROR, String.valueOf(e.getMessage()));
    } catch (StackOverflowError e) {
      return CheckResult.of(id(), Verdict.ERROR, "the file makes this check recurse too deeply");
    } catch (OutOfMemoryError e) {
      return CheckResult.of(
          id(), Verdict.ERROR, "the check needs more memory than its process may take");
    } catch (RuntimeException e) {
      return CheckResult.of(id(), Verdict.ERROR, internal(e));
    }
  }

  private static String internal(RuntimeException e) {
    String where =
        e.getStackTrace().length == 0
            ? ""
            : " in "
                + e.getStackTrace()[0].getFileName()
                + ":"
                + e.getStackTrace()[0].getLineNumber();
    return "internal error, please report it: "
        + e.getClass().getSimpleName()
        + (e.getMessage() == null ? "" : ": " + e.getMessage())
        + where;
  }

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
