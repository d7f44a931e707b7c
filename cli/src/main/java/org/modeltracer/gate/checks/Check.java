package org.modeltracer.gate.checks;

import java.util.List;
import org.modeltracer.anomaly.AnomalyKind;
import org.modeltracer.gguf.GgufException;
import org.modeltracer.llama.LlamaException;
import org.modeltracer.process.JavaError;

/** A question that the gate asks of a model file. Stateless; the subject holds what is shared. */
public abstract class Check {
  private final String id;
  private final Needs needs;
  private final String description;

  Check(String id, Needs needs, String description) {
    this.id = id;
    this.needs = needs;
    this.description = description;
  }

  /** Name in policies and results: group, dot, snake case, such as {@code forward.finite}. */
  public String id() {
    return id;
  }

  /** What the check needs before it can run. */
  public Needs needs() {
    return needs;
  }

  /** One line that says what is checked, for {@code --list}. */
  public String description() {
    return description;
  }

  /**
   * Runs the check.
   *
   * @throws LlamaException when llama.cpp fails; the check then ends as an error
   */
  abstract CheckResult run(Subject subject);

  /** Kinds of anomalies that are this check's to judge, and not {@code forward.anomalies}'. */
  List<AnomalyKind> anomalies() {
    return List.of();
  }

  /** The result of the check, whatever comes of it; never throws on account of the file. */
  public CheckResult ask(Subject subject) {
    try {
      return run(subject);
    } catch (NotApplicable e) {
      return CheckResult.of(id(), Verdict.SKIPPED, String.valueOf(e.getMessage()));
    } catch (LlamaException | GgufException e) {
      return CheckResult.of(id(), Verdict.ERROR, String.valueOf(e.getMessage()));
    } catch (StackOverflowError e) {
      return CheckResult.of(id(), Verdict.ERROR, "the file makes this check recurse too deeply");
    } catch (Error e) {
      return CheckResult.of(id(), Verdict.ERROR, JavaError.words(e));
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
  public enum Needs {
    /** The file alone; no native code. */
    FILE,
    /** The file and one to compare with; no native code. */
    REFERENCE_FILE,
    /** llama.cpp's library, the model not loaded: conversions of weights. */
    RUNTIME,
    /** The model loaded. */
    MODEL,
    /** A reference file beside it. */
    REFERENCE,
    /** A reference file beside it, or what one predicted. */
    PREDICTIONS
  }
}
