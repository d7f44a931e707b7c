package org.modeltracer.gguf;

import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * A file that cannot be read as GGUF; the message is one line that says what is wrong and where.
 */
public final class GgufException extends RuntimeException {
  /** The offset of a problem that has no place in the file, such as a missing file. */
  public static final long NOWHERE = -1;

  private static final long serialVersionUID = 1L;
  private static final int LONGEST_QUOTE = 80;

  private final long offset;

  private GgufException(String message, long offset, @Nullable Throwable cause) {
    super(message, cause);
    this.offset = offset;
  }

  /** A problem at a byte of the file; text arguments come from the file and are made printable. */
  static GgufException at(long offset, String format, Object... args) {
    return new GgufException(sentence(format, args) + " (byte " + offset + ")", offset, null);
  }

  /** A problem with the file as a whole. */
  static GgufException of(@Nullable Throwable cause, String format, Object... args) {
    return new GgufException(sentence(format, args), NOWHERE, cause);
  }

  /** A problem of one file among several; its byte is told in the sentence alone. */
  static GgufException in(String file, GgufException problem) {
    return new GgufException(sentence("%s: ", file) + problem.getMessage(), NOWHERE, problem);
  }

  /** A problem and what may be behind it. */
  static GgufException with(String remedy, GgufException problem) {
    return new GgufException(problem.getMessage() + "; " + remedy, problem.offset, problem);
  }

  /** A problem whose sentence, byte included, is already written. */
  static GgufException of(LoadChecks.Problem problem) {
    return new GgufException(problem.message(), problem.offset(), null);
  }

  /** Byte of the file that is wrong, or {@link #NOWHERE}. */
  public long offset() {
    return offset;
  }

  static String sentence(String format, Object... args) {
    for (int i = 0; i < args.length; i++) {
      if (args[i] instanceof String text) {
        args[i] = printable(text);
      }
    }
    return String.format(Locale.ROOT, format, args);
  }

  private static String printable(String text) {
    var out = new StringBuilder();
    for (int i = 0; i < text.length() && out.length() < LONGEST_QUOTE; i++) {
      char c = text.charAt(i);
      if (c < ' '
          || (c >= 0x7f && c < 0xa0)
          || Character.getType(c) == Character.FORMAT
          || c == '\u2028'
          || c == '\u2029') {
        out.append(String.format(Locale.ROOT, c < 0x100 ? "\\x%02x" : "\\u%04x", (int) c));
      } else {
        out.append(c);
      }
    }
    return out.length() < LONGEST_QUOTE ? out.toString() : out.append('…').toString();
  }
}
