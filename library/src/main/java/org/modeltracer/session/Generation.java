package org.modeltracer.session;

import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * What a session generated.
 *
 * @param promptTokens tokens of the prompt
 * @param reusedTokens tokens of the prompt that the cache held already
 * @param tokens what was generated, without the token that ended it
 * @param text the same as text
 * @param finish why it ended
 * @param shifts how often a full context dropped tokens and went on
 * @param promptSeconds time for the prompt
 * @param generationSeconds time for what was generated
 */
public record Generation(
    int promptTokens,
    int reusedTokens,
    List<Token> tokens,
    String text,
    Finish finish,
    int shifts,
    double promptSeconds,
    double generationSeconds) {

  /** Why a generation ended. */
  public enum Finish {
    /** As many tokens as asked for. */
    LENGTH,
    /** The model ended its text, or a grammar did. */
    END_OF_TEXT,
    /** The context is full. */
    CONTEXT,
    /** Somebody cancelled it. */
    CANCELLED,
    /** A listener asked to stop. */
    STOPPED,
    /** The model has no output matrix: it read the prompt, and generates nothing. */
    NO_OUTPUT
  }

  /**
   * A generated token.
   *
   * @param id in the vocabulary
   * @param position in the sequence
   * @param bytes it stands for, often not whole UTF-8 characters
   */
  public record Token(int id, int position, byte[] bytes) {
    /** The bytes as text; what is not whole UTF-8 is replaced. */
    public String text() {
      return new String(bytes, StandardCharsets.UTF_8);
    }
  }
}
