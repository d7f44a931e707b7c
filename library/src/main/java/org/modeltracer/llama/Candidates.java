package org.modeltracer.llama;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Tokens that samplers choose among: a {@code llama_token_data_array}, which they sort, shorten and
 * mark. Its memory is taken when it is needed first.
 */
final class Candidates implements AutoCloseable {
  /** {@code llama_token_data}: id, logit, probability. */
  private static final long TOKEN_BYTES = 12;

  /** Pointer to the tokens, their number, the one selected, whether they are sorted. */
  private static final long ARRAY_BYTES = 32;

  private final int size;
  private final Arena arena = Arena.ofShared();
  private MemorySegment array = MemorySegment.NULL;
  private MemorySegment tokens = MemorySegment.NULL;

  Candidates(int size) {
    this.size = size;
  }

  /** What samplers are given. */
  MemorySegment array() {
    return array;
  }

  /** All tokens of a vocabulary with their scores, {@code [vocabulary]} float32. */
  void all(MemorySegment logits) {
    begin(size);
    for (int token = 0; token < size; token++) {
      set(token, token, logits.getAtIndex(ValueLayout.JAVA_FLOAT, token));
    }
  }

  /** All tokens of a vocabulary with the same score. */
  void alike() {
    begin(size);
    for (int token = 0; token < size; token++) {
      set(token, token, 0);
    }
  }

  /** One token. */
  void only(int token) {
    begin(1);
    set(0, token, 1);
  }

  private void begin(int count) {
    if (array.byteSize() == 0) {
      array = arena.allocate(ARRAY_BYTES, 8);
      tokens = arena.allocate(TOKEN_BYTES * size, 8);
    }
    array.set(ValueLayout.ADDRESS, 0, tokens);
    array.set(ValueLayout.JAVA_LONG, 8, count);
    array.set(ValueLayout.JAVA_LONG, 16, -1);
    array.set(ValueLayout.JAVA_BOOLEAN, 24, false);
  }

  private void set(int index, int token, float logit) {
    tokens.set(ValueLayout.JAVA_INT, TOKEN_BYTES * index, token);
    tokens.set(ValueLayout.JAVA_FLOAT, TOKEN_BYTES * index + 4, logit);
    tokens.set(ValueLayout.JAVA_FLOAT, TOKEN_BYTES * index + 8, 0);
  }

  /** The token that was chosen. */
  int selected() {
    long index = array.get(ValueLayout.JAVA_LONG, 16);
    return tokens.get(ValueLayout.JAVA_INT, TOKEN_BYTES * index);
  }

  /** Whether none is left that may be chosen. */
  boolean excluded() {
    long count = array.get(ValueLayout.JAVA_LONG, 8);
    for (long index = 0; index < count; index++) {
      if (tokens.get(ValueLayout.JAVA_FLOAT, TOKEN_BYTES * index + 4) > Float.NEGATIVE_INFINITY) {
        return false;
      }
    }
    return true;
  }

  /** Whether there is one that may not be chosen. */
  boolean anyExcluded() {
    long count = array.get(ValueLayout.JAVA_LONG, 8);
    for (long index = 0; index < count; index++) {
      if (tokens.get(ValueLayout.JAVA_FLOAT, TOKEN_BYTES * index + 4) == Float.NEGATIVE_INFINITY) {
        return true;
      }
    }
    return false;
  }

  @Override
  public void close() {
    arena.close();
  }
}
