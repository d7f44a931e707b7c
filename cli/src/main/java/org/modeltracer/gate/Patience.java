package org.modeltracer.gate;

import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeoutException;
import org.modeltracer.gate.checks.Check;
import org.modeltracer.gate.checks.CheckResult;
import org.modeltracer.gate.checks.Subject;
import org.modeltracer.gate.checks.Verdict;
import org.modeltracer.process.JavaError;

/**
 * Asks checks that run in this process, and waits no longer than there is time.
 *
 * <p>A check that takes longer is left to itself, on a thread that does not keep the program alive.
 */
final class Patience {
  private final Deadline deadline;

  Patience(Deadline deadline) {
    this.deadline = deadline;
  }

  /** The result of a check; an error when it ran out of time. */
  CheckResult ask(Check check, Subject subject) {
    if (deadline.passed()) {
      return CheckResult.of(check.id(), Verdict.ERROR, deadline.tooLate());
    }
    try {
      return deadline.await(check.id(), () -> check.ask(subject));
    } catch (OutOfMemoryError e) {
      return CheckResult.of(check.id(), Verdict.ERROR, JavaError.words(e));
    } catch (TimeoutException e) {
      return CheckResult.of(check.id(), Verdict.ERROR, deadline.exceeded());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return CheckResult.of(check.id(), Verdict.ERROR, "interrupted");
    } catch (ExecutionException e) {
      return CheckResult.of(
          check.id(), Verdict.ERROR, "internal error, please report it: " + e.getCause());
    }
  }
}
