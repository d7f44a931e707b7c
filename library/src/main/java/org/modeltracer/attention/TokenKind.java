package org.modeltracer.attention;

/** What a token is for, as far as its text shows. */
public enum TokenKind {
  /** Words and parts of words. */
  CONTENT,
  /** Punctuation and white space only: a candidate for structure, no parser asked. */
  STRUCTURAL,
  /** Control tokens of the vocabulary: begin, end, padding, chat markers. */
  SPECIAL;

  /** Kind of a token from its text; {@code special} is what the vocabulary says of it. */
  public static TokenKind of(String text, boolean special) {
    if (special) {
      return SPECIAL;
    }
    boolean wordless = !text.isEmpty() && text.codePoints().noneMatch(Character::isLetterOrDigit);
    return wordless ? STRUCTURAL : CONTENT;
  }
}
