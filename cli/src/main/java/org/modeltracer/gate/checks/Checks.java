package org.modeltracer.gate.checks;

import org.jspecify.annotations.Nullable;
import org.modeltracer.gguf.GgufException;
import org.modeltracer.llama.LlamaException;

/** Asks one check of a file, and turns whatever comes of it into a result. */
public final class Checks {
  private static final int LONGEST_MESSAGE = 600;

  private Checks() {}

  /** The result of a check; never throws on account of the file. */
  public static CheckResult ask(Check check, Subject subject) {
    try {
      return check.run(subject);
    } catch (NotApplicable e) {
      return CheckResult.of(check.id(), Verdict.SKIPPED, line(e.getMessage()));
    } catch (LlamaException | GgufException e) {
      return CheckResult.of(check.id(), Verdict.ERROR, line(e.getMessage()));
    } catch (StackOverflowError e) {
      return CheckResult.of(
          check.id(), Verdict.ERROR, "the file makes this check recurse too deeply");
    } catch (OutOfMemoryError e) {
      return CheckResult.of(
          check.id(), Verdict.ERROR, "the check needs more memory than its process may take");
    } catch (RuntimeException e) {
      return CheckResult.of(check.id(), Verdict.ERROR, line(internal(e)));
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

  /** A text as one printable line of bounded length. */
  public static String line(@Nullable String text) {
    String line =
        String.valueOf(text).strip().replaceAll("\\s*\\R\\s*", " ").replaceAll("\\p{Cntrl}", "?");
    return line.length() <= LONGEST_MESSAGE ? line : line.substring(0, LONGEST_MESSAGE) + "…";
  }
}
