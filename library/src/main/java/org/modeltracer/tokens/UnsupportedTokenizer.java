package org.modeltracer.tokens;

/** Says why a vocabulary has no {@link TextEncoding}; the message is one line. */
public final class UnsupportedTokenizer extends RuntimeException {
  private static final long serialVersionUID = 1L;

  UnsupportedTokenizer(String message) {
    super(message);
  }
}
