package org.modeltracer.process;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * The end of what a process printed, in bounded memory, and what of it says why the process ended.
 *
 * <p>Java's own report of a crash is left out but for its signal and the frame in which it was.
 */
public final class LastWords {
  private static final int KEPT = 100;
  static final int LONGEST = 1000;
  private static final String INCUBATING = "WARNING: Using incubator modules";
  private static final String REPORT = "# A fatal error has been detected";
  private static final Pattern SIGNAL = Pattern.compile("#\\s+(SIG[A-Z]+|EXCEPTION_\\w+) .*");
  private static final Pattern FRAME = Pattern.compile("# [CVJjv]\\s+(.*?)\\s*");

  /** What llama.cpp and the C++ library say when they give up. */
  private static final Pattern REASON =
      Pattern.compile(".*(GGML_ASSERT|GGML_ABORT|what\\(\\):|terminate called|fatal error).*");

  private final Deque<String> lines = new ArrayDeque<>();
  private Optional<String> reason = Optional.empty();
  private Optional<String> signal = Optional.empty();
  private Optional<String> frame = Optional.empty();
  private boolean report;

  /** Takes a line. */
  public synchronized void accept(String line) {
    String text = line.substring(0, Math.min(LONGEST, line.length())).strip();
    report |= text.startsWith(REPORT);
    if (report) {
      inReport(text);
      return;
    }
    if (text.isEmpty() || text.startsWith(INCUBATING)) {
      return;
    }
    if (REASON.matcher(text).matches()) {
      reason = Optional.of(text);
    }
    if (lines.size() == KEPT) {
      lines.removeFirst();
    }
    lines.addLast(text);
  }

  private void inReport(String text) {
    var itsSignal = SIGNAL.matcher(text);
    if (signal.isEmpty() && itsSignal.matches()) {
      signal = Optional.of(itsSignal.group(1));
    }
    var itsFrame = FRAME.matcher(text);
    if (frame.isEmpty() && itsFrame.matches()) {
      frame = Optional.of("in " + itsFrame.group(1));
    }
  }

  /** Signal that Java caught and reported. */
  public synchronized Optional<String> signal() {
    return signal;
  }

  /** Why the process ended: a failed assertion, the place of a crash, else its last line. */
  public synchronized Optional<String> reason() {
    return reason
        .or(() -> frame)
        .or(() -> Optional.ofNullable(lines.peekLast()))
        .map(text -> oneLine(text, LONGEST));
  }

  /** A text as one printable line of bounded length. */
  public static String oneLine(String text, int longest) {
    String line = text.strip().replaceAll("\\s*\\R\\s*", " ").replaceAll("\\p{Cntrl}", "?");
    return line.length() <= longest ? line : line.substring(0, longest) + "…";
  }
}
