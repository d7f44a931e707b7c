package org.modeltracer.llama;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Objects;
import org.modeltracer.llama.ffi.NativeLibrary;

/**
 * Tokens to decode together: for each its position, its sequence, and whether logits are wanted.
 */
public final class Batch {
  private static final long TOKEN = 8;
  private static final long POS = 24;
  private static final long N_SEQ_ID = 32;
  private static final long SEQ_ID = 40;
  private static final long LOGITS = 48;

  private final int capacity;
  private final MemorySegment struct;
  private final MemorySegment tokens;
  private final MemorySegment positions;
  private final MemorySegment sequences;
  private final MemorySegment outputs;
  private int size;

  Batch(Arena arena, int capacity) {
    this.capacity = capacity;
    struct = arena.allocate(NativeLibrary.BATCH_BYTES, 8);
    tokens = arena.allocate(ValueLayout.JAVA_INT, capacity);
    positions = arena.allocate(ValueLayout.JAVA_INT, capacity);
    MemorySegment counts = arena.allocate(ValueLayout.JAVA_INT, capacity);
    sequences = arena.allocate(ValueLayout.JAVA_INT, capacity);
    MemorySegment pointers = arena.allocate(ValueLayout.JAVA_LONG, capacity);
    outputs = arena.allocate(capacity);
    for (int i = 0; i < capacity; i++) {
      counts.setAtIndex(ValueLayout.JAVA_INT, i, 1);
      pointers.setAtIndex(ValueLayout.JAVA_LONG, i, sequences.address() + 4L * i);
    }
    struct.set(ValueLayout.JAVA_LONG, TOKEN, tokens.address());
    struct.set(ValueLayout.JAVA_LONG, POS, positions.address());
    struct.set(ValueLayout.JAVA_LONG, N_SEQ_ID, counts.address());
    struct.set(ValueLayout.JAVA_LONG, SEQ_ID, pointers.address());
    struct.set(ValueLayout.JAVA_LONG, LOGITS, outputs.address());
  }

  /** A batch that no context decodes: what another process decodes, or did. */
  public static Batch of(Arena arena, int capacity) {
    return new Batch(arena, capacity);
  }

  /** Empties the batch. */
  public Batch clear() {
    size = 0;
    struct.set(ValueLayout.JAVA_INT, 0, 0);
    return this;
  }

  /**
   * Adds a token.
   *
   * @param output whether logits of this token are wanted
   * @throws LlamaException when the batch is full
   */
  public Batch add(int token, int position, int sequence, boolean output) {
    if (size == capacity) {
      throw new LlamaException(
          LlamaException.Kind.ARGUMENT, "a batch of this context holds " + capacity + " tokens");
    }
    tokens.setAtIndex(ValueLayout.JAVA_INT, size, token);
    positions.setAtIndex(ValueLayout.JAVA_INT, size, position);
    sequences.setAtIndex(ValueLayout.JAVA_INT, size, sequence);
    outputs.set(ValueLayout.JAVA_BYTE, size, (byte) (output ? 1 : 0));
    size++;
    struct.set(ValueLayout.JAVA_INT, 0, size);
    return this;
  }

  /** Number of tokens. */
  public int size() {
    return size;
  }

  /** Most tokens it can hold. */
  public int capacity() {
    return capacity;
  }

  /** Token id at index {@code i}. */
  public int token(int i) {
    return tokens.getAtIndex(ValueLayout.JAVA_INT, Objects.checkIndex(i, size));
  }

  /** Position at index {@code i}. */
  public int position(int i) {
    return positions.getAtIndex(ValueLayout.JAVA_INT, Objects.checkIndex(i, size));
  }

  /** Sequence at index {@code i}. */
  public int sequence(int i) {
    return sequences.getAtIndex(ValueLayout.JAVA_INT, Objects.checkIndex(i, size));
  }

  /** Whether logits are wanted at index {@code i}. */
  public boolean output(int i) {
    return outputs.get(ValueLayout.JAVA_BYTE, Objects.checkIndex(i, size)) != 0;
  }

  /** Refuses what llama.cpp would, in some generations by ending the process. */
  void check(int vocabulary, int sequenceCount) {
    for (int i = 0; i < size; i++) {
      if (token(i) < 0 || token(i) >= vocabulary) {
        throw wrong("token " + token(i), i, "outside the vocabulary of " + vocabulary + " tokens");
      }
      if (sequence(i) < 0 || sequence(i) >= sequenceCount) {
        throw wrong("sequence " + sequence(i), i, "in a context set up for " + sequenceCount);
      }
      if (position(i) < 0) {
        throw wrong("position " + position(i), i, "before the first position, 0");
      }
    }
  }

  private static LlamaException wrong(String what, int index, String why) {
    return new LlamaException(
        LlamaException.Kind.ARGUMENT, what + " at index " + index + " of the batch is " + why);
  }

  MemorySegment struct() {
    return struct;
  }
}
