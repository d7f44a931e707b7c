package org.modeltracer.process;

import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** What the exit code of a process says about how it ended. */
public final class ExitStatus {
  private static final int SIGNALS = 128;
  private static final int INTERRUPT = 2;

  private static final Map<Integer, String> NAMES =
      Map.of(
          1, "SIGHUP", INTERRUPT, "SIGINT", 4, "SIGILL", 5, "SIGTRAP", 6, "SIGABRT", 7, "SIGBUS", 8,
          "SIGFPE", 9, "SIGKILL", 11, "SIGSEGV", 15, "SIGTERM");

  private ExitStatus() {}

  /** Whether somebody at the terminal ended it. */
  public static boolean interrupted(int code) {
    return code == SIGNALS + INTERRUPT;
  }

  /** The signal that ended it, if one did. */
  public static Optional<String> signal(int code) {
    return Optional.ofNullable(NAMES.get(code - SIGNALS));
  }

  /**
   * The end of a process in words.
   *
   * @param heard what llama.cpp said when it gave up, null when it said nothing
   * @param said what the process printed
   */
  public static String words(int code, @Nullable String heard, LastWords said) {
    String how =
        said.signal()
            .or(() -> signal(code))
            .orElse(code > SIGNALS ? "signal " + (code - SIGNALS) : "exit code " + code);
    String why = heard != null ? heard : said.reason().orElse("");
    return why.isEmpty() ? how : how + ": " + LastWords.oneLine(why, LastWords.LONGEST);
  }
}
