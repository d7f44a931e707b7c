package org.modeltracer.sparse.patterns;

import java.lang.Character.UnicodeScript;
import java.util.EnumSet;
import java.util.Set;

/**
 * What a token is, as far as its text shows. Every token is of one kind, or {@link #REPEATED} too.
 */
public enum KeyKind {
  /** A control token of the vocabulary: begin, end, chat markers. */
  SPECIAL,
  /** White space with a line break. */
  NEWLINE,
  /** Other white space. */
  SPACE,
  /** Sentence marks, quotes, round brackets, dashes: {@code . , ; : ! ? " ' ( ) -} and others. */
  PUNCTUATION,
  /**
   * Other marks, most of them in code: <code>{ } [ ] &lt; &gt; = + * / \ # @ &amp; | _ $</code>.
   */
  SYMBOL,
  /** Digits, with or without marks. */
  DIGIT,
  /** Chinese, Japanese, Korean. */
  CJK,
  /** Begins a word with an upper-case letter. */
  CAPITALIZED,
  /** Begins any other word. */
  WORD,
  /** Goes on with a word. */
  CONTINUATION,
  /** Part of a character, or nothing. */
  FRAGMENT,
  /** The same token came earlier in the text. Counts beside the others. */
  REPEATED;

  /** Marks of code, though Unicode calls them punctuation. */
  private static final String CODE = "{}[]<>/\\#@&*%_|";

  private static final int BROKEN = 0xFFFD;

  private static final Set<UnicodeScript> EASTERN =
      EnumSet.of(
          UnicodeScript.HAN,
          UnicodeScript.HIRAGANA,
          UnicodeScript.KATAKANA,
          UnicodeScript.HANGUL,
          UnicodeScript.BOPOMOFO);

  /**
   * Kind of a token.
   *
   * @param text its text, with the space before it where it has one
   * @param control whether the vocabulary says that it steers the model
   * @param insideWord whether the token before ends in a letter or digit
   */
  static KeyKind of(String text, boolean control, boolean insideWord) {
    if (control) {
      return SPECIAL;
    }
    if (text.isEmpty() || text.indexOf(BROKEN) >= 0) {
      return FRAGMENT;
    }
    if (text.isBlank()) {
      return text.indexOf('\n') >= 0 || text.indexOf('\r') >= 0 ? NEWLINE : SPACE;
    }
    if (text.codePoints().anyMatch(c -> EASTERN.contains(UnicodeScript.of(c)))) {
      return CJK;
    }
    if (text.codePoints().anyMatch(Character::isLetter)) {
      return word(text, insideWord);
    }
    if (text.codePoints().anyMatch(Character::isDigit)) {
      return DIGIT;
    }
    boolean marks =
        text.codePoints().filter(c -> !Character.isWhitespace(c)).allMatch(KeyKind::ends);
    return marks ? PUNCTUATION : SYMBOL;
  }

  private static KeyKind word(String text, boolean insideWord) {
    int first = text.codePoints().filter(c -> !Character.isWhitespace(c)).findFirst().orElse(0);
    if (insideWord && !Character.isWhitespace(text.codePointAt(0))) {
      return CONTINUATION;
    }
    return Character.isUpperCase(first) || Character.isTitleCase(first) ? CAPITALIZED : WORD;
  }

  private static boolean ends(int c) {
    return switch (Character.getType(c)) {
      case Character.CONNECTOR_PUNCTUATION,
          Character.DASH_PUNCTUATION,
          Character.START_PUNCTUATION,
          Character.END_PUNCTUATION,
          Character.INITIAL_QUOTE_PUNCTUATION,
          Character.FINAL_QUOTE_PUNCTUATION,
          Character.OTHER_PUNCTUATION ->
          CODE.indexOf(c) < 0;
      default -> false;
    };
  }
}
