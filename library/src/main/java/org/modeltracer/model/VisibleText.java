package org.modeltracer.model;

import java.util.HexFormat;

/**
 * Text from a file, a model or a log as it may be shown: it acts on no terminal and on no CI.
 *
 * <p>What controls a terminal is written out as Java and JSON write it ({@code \u001b}), and so are
 * signs that reorder text. What GitHub Actions takes for a command, {@code ::} at the beginning of
 * a line and {@code ##[} anywhere, is broken the same way. JSON text therefore stays the same JSON.
 *
 * <p>An instance follows a text that comes in pieces, and keeps its lines and tabs; {@link #line}
 * makes one line, in which nothing is invisible.
 */
public final class VisibleText {
  /** Characters of a line before it is cut. */
  static final int LONGEST_LINE = 1 << 16;

  private boolean lineBegins = true;
  private int colons;
  private int hashes;

  /**
   * One line: line ends, tabs and what has no width are written out too, and it is cut where it is
   * longer than 65,536 characters.
   */
  public static String line(String text) {
    return new VisibleText().shown(CutText.of(text, LONGEST_LINE), true);
  }

  /** The next piece of a text. */
  public String next(String piece) {
    return shown(piece, false);
  }

  private String shown(String text, boolean oneLine) {
    var out = new StringBuilder(text.length());
    for (int i = 0; i < text.length(); ) {
      int c = text.codePointAt(i);
      i += Character.charCount(c);
      boolean command = (c == ':' && colons == 1) || (c == '[' && hashes >= 2);
      boolean lineEnd = c == '\r' && !oneLine && i < text.length() && text.charAt(i) == '\n';
      if (command || (acts(c, oneLine) && !lineEnd)) {
        escape(c, out);
      } else {
        out.appendCodePoint(c);
      }
      follow(c);
    }
    return out.toString();
  }

  /** Keeps account of what would be a command if it went on. */
  private void follow(int c) {
    hashes = c == '#' ? hashes + 1 : 0;
    if (c == '\n') {
      lineBegins = true;
      colons = 0;
    } else if (lineBegins && c == ':') {
      colons++;
      lineBegins = colons < 2;
    } else if (colons > 0 || !(blank(c) || Character.getType(c) == Character.FORMAT)) {
      lineBegins = false;
      colons = 0;
    }
  }

  private static boolean blank(int c) {
    return Character.isWhitespace(c) || Character.isSpaceChar(c);
  }

  private static boolean acts(int c, boolean oneLine) {
    if (c == '\n' || c == '\t') {
      return oneLine;
    }
    return switch (Character.getType(c)) {
      case Character.CONTROL,
          Character.LINE_SEPARATOR,
          Character.PARAGRAPH_SEPARATOR,
          Character.SURROGATE ->
          true;
      case Character.FORMAT -> oneLine || reorders(c);
      default -> false;
    };
  }

  /** Embeddings, overrides and isolates, which show letters where they are not. */
  private static boolean reorders(int c) {
    return (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
  }

  private static void escape(int c, StringBuilder out) {
    switch (c) {
      case '\n' -> out.append("\\n");
      case '\r' -> out.append("\\r");
      case '\t' -> out.append("\\t");
      default -> {
        for (char unit : Character.toChars(c)) {
          out.append("\\u").append(HexFormat.of().toHexDigits(unit));
        }
      }
    }
  }
}
