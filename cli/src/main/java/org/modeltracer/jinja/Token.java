package org.modeltracer.jinja;

/**
 * A piece of a template.
 *
 * @param kind what it is
 * @param text its text; of a string literal, without the quotes
 * @param line its line, from 1
 */
record Token(Kind kind, String text, int line) {
  /** Kinds of pieces. */
  enum Kind {
    /** Plain text, outside of all marks. */
    TEXT,
    /** Opens a statement. */
    BLOCK_BEGIN,
    /** Closes a statement. */
    BLOCK_END,
    /** Opens an expression that is printed. */
    PRINT_BEGIN,
    /** Closes it. */
    PRINT_END,
    /** A word: a variable, a keyword, a tag. */
    NAME,
    /** A text literal. */
    STRING,
    /** A number. */
    NUMBER,
    /** Punctuation. */
    OPERATOR,
    /** The end of the template. */
    END
  }

  boolean is(String operator) {
    return kind == Kind.OPERATOR && text.equals(operator);
  }

  boolean word(String name) {
    return kind == Kind.NAME && text.equals(name);
  }

  /** How an error message names it. */
  String shown() {
    return switch (kind) {
      case END -> "the end of the template";
      case STRING -> "a text";
      default -> "'" + text + "'";
    };
  }
}
