package org.modeltracer.tokens;

/**
 * A text in which every character outside ASCII is replaced by a mark of its general category.
 *
 * <p>llama.cpp splits text this way, its regular expressions knowing no Unicode: all letters
 * outside ASCII are one character to it, upper or lower case, and so are numbers, punctuation,
 * marks and symbols. White space becomes a vertical tab. A mark is as many {@code char}s long as
 * the character it stands for, so that indices agree.
 */
final class CollapsedText {
  private static final int NEAR = 0xe000;
  private static final int FAR = 0xf0000;
  private static final char WHITE = '\u000b';

  private CollapsedText() {}

  static String of(String text) {
    var collapsed = new StringBuilder(text.length());
    text.codePoints().forEach(c -> collapsed.appendCodePoint(c < 0x80 ? c : mark(c)));
    return collapsed.toString();
  }

  /** The text with only the white space outside ASCII replaced. */
  static String whiteSpaceOnly(String text) {
    var out = new StringBuilder(text);
    for (int i = 0; i < out.length(); i++) {
      if (out.charAt(i) >= 0x80 && isWhiteSpace(out.charAt(i))) {
        out.setCharAt(i, WHITE);
      }
    }
    return out.toString();
  }

  /** Rewrites a regular expression, categories always inside brackets, for collapsed text. */
  static String expression(String regex) {
    return regex
        .replace("\\p{N}", "0-9" + marks(1))
        .replace("\\p{L}", "A-Za-z" + marks(2))
        .replace("\\p{P}", "!-#%-*,-/:-;?-@\\[-\\]_\\{\\}" + marks(3))
        .replace("\\p{M}", marks(4))
        .replace("\\p{S}", "\\$\\+<=>\\^`\\|~" + marks(5));
  }

  private static String marks(int category) {
    return String.format("\\x{%x}\\x{%x}", NEAR + category, FAR + category);
  }

  private static int mark(int codePoint) {
    if (isWhiteSpace(codePoint)) {
      return WHITE;
    }
    return (Character.isBmpCodePoint(codePoint) ? NEAR : FAR) + category(codePoint);
  }

  private static boolean isWhiteSpace(int codePoint) {
    return codePoint == 0x85 || Character.isSpaceChar(codePoint);
  }

  private static int category(int codePoint) {
    if (RecentCharacters.contains(codePoint)) {
      return 0;
    }
    return switch (Character.getType(codePoint)) {
      case Character.DECIMAL_DIGIT_NUMBER, Character.LETTER_NUMBER, Character.OTHER_NUMBER -> 1;
      case Character.UPPERCASE_LETTER,
          Character.LOWERCASE_LETTER,
          Character.TITLECASE_LETTER,
          Character.MODIFIER_LETTER,
          Character.OTHER_LETTER ->
          2;
      case Character.CONNECTOR_PUNCTUATION,
          Character.DASH_PUNCTUATION,
          Character.START_PUNCTUATION,
          Character.END_PUNCTUATION,
          Character.INITIAL_QUOTE_PUNCTUATION,
          Character.FINAL_QUOTE_PUNCTUATION,
          Character.OTHER_PUNCTUATION ->
          3;
      case Character.NON_SPACING_MARK, Character.COMBINING_SPACING_MARK, Character.ENCLOSING_MARK ->
          4;
      case Character.CURRENCY_SYMBOL,
          Character.MATH_SYMBOL,
          Character.MODIFIER_SYMBOL,
          Character.OTHER_SYMBOL ->
          5;
      default -> 0;
    };
  }
}
