package org.modeltracer.heads;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;
import org.modeltracer.model.Place;

/** Vectors of some tokens at one place, which wait to be worked on together. */
final class WaitingTokens {
  /** Tokens that wait at most: enough to fill the registers of a product. */
  private static final int MOST = 16;

  private final int[] sequences = new int[MOST];
  private final int[] positions = new int[MOST];
  private float[] values = {};
  private @Nullable Place place;
  private int width;
  private int size;

  /** Whether there is room for another token at a place; if not, those that wait go first. */
  boolean accepts(Place at, int vectorWidth) {
    return size == 0 || size < MOST && width == vectorWidth && at.equals(place);
  }

  /** Copies a token's vector of {@code vectorWidth} floats at byte {@code offset}. */
  void add(Place at, int sequence, int position, MemorySegment from, long offset, int vectorWidth) {
    place = at;
    width = vectorWidth;
    if (values.length < MOST * width) {
      values = new float[MOST * width];
    }
    MemorySegment.copy(from, ValueLayout.JAVA_FLOAT_UNALIGNED, offset, values, size * width, width);
    sequences[size] = sequence;
    positions[size] = position;
    size++;
  }

  /** Where they are; null when none waits. */
  @Nullable Place place() {
    return size == 0 ? null : place;
  }

  int size() {
    return size;
  }

  /** Width of a vector. */
  int width() {
    return width;
  }

  int sequence(int i) {
    return sequences[i];
  }

  int position(int i) {
    return positions[i];
  }

  /** Copies {@code length} floats from {@code from} on of every vector, {@code [token, length]}. */
  void slices(int from, int length, float[] into) {
    for (int i = 0; i < size; i++) {
      System.arraycopy(values, i * width + from, into, i * length, length);
    }
  }

  void clear() {
    size = 0;
  }
}
