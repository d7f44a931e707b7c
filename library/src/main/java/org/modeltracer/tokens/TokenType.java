package org.modeltracer.tokens;

/** What a token is for, in the order of llama.cpp's numbers. */
public enum TokenType {
  /** Not said, or a number nobody knows. */
  UNDEFINED,
  /** Text. */
  NORMAL,
  /** Stands for what the vocabulary cannot express. */
  UNKNOWN,
  /** Steers the model, such as the beginning of a sequence; not text. */
  CONTROL,
  /** Text that is never split, added by whoever made the model. */
  USER_DEFINED,
  /** Reserved. */
  UNUSED,
  /** One byte, written {@code <0xNN>}. */
  BYTE;

  private static final TokenType[] BY_NUMBER = values();

  /** The type of a number in {@code tokenizer.ggml.token_type}. */
  public static TokenType of(long number) {
    return number >= 0 && number < BY_NUMBER.length ? BY_NUMBER[(int) number] : UNDEFINED;
  }

  /** Whether text is searched for such tokens before anything else splits it. */
  boolean special() {
    return this == CONTROL || this == USER_DEFINED || this == UNKNOWN;
  }
}
