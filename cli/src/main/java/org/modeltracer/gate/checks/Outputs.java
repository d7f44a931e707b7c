package org.modeltracer.gate.checks;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.modeltracer.model.Place;
import org.modeltracer.model.Site;
import org.modeltracer.session.SessionListener;

/**
 * What a model puts out at some positions, kept: logits, {@code [position, vocabulary]}, or, of a
 * model that makes none, the last states that its embeddings are made of, {@code [position,
 * width]}.
 */
final class Outputs implements SessionListener {
  private final @Nullable Place states;
  private final Map<Integer, float[]> rows = new TreeMap<>();

  /**
   * Keeps what one text brings, that of sequence 0.
   *
   * @param states where the last states are; null for logits
   */
  Outputs(@Nullable Place states) {
    this.states = states;
  }

  /**
   * How two sets differ at the positions that both have.
   *
   * @param positions number of these positions
   * @param identical whether they are the same, bit by bit
   * @param finite whether all are finite
   * @param relative mean over positions of ‖a − b‖ / ‖a − mean(a)‖; a shift of all logits is no
   *     part of their size, as it changes no probability
   * @param largestRelative the same at the position where it is largest
   * @param largest largest difference of one number
   * @param sameTop share of positions with the same largest number, the most probable token
   */
  record Difference(
      int positions,
      boolean identical,
      boolean finite,
      double relative,
      double largestRelative,
      double largest,
      double sameTop) {}

  @Override
  public void onLogits(int sequence, int position, MemorySegment logits, int chosen) {
    if (states == null && sequence == 0) {
      rows.put(position, logits.toArray(ValueLayout.JAVA_FLOAT));
    }
  }

  @Override
  public Set<Site> rows() {
    return states == null ? Set.of() : Set.of(states.site());
  }

  @Override
  public void onRow(
      Place place, int sequence, int position, MemorySegment values, long offset, int width) {
    if (place.equals(states) && sequence == 0) {
      rows.put(
          position, values.asSlice(offset, 4L * width).toArray(ValueLayout.JAVA_FLOAT_UNALIGNED));
    }
  }

  /** Compares with others. */
  Difference against(Outputs others) {
    int positions = 0;
    int sameTop = 0;
    boolean identical = true;
    boolean finite = true;
    double relative = 0;
    double largestRelative = 0;
    double largest = 0;
    for (Map.Entry<Integer, float[]> row : rows.entrySet()) {
      float[] a = row.getValue();
      float[] b = others.rows.get(row.getKey());
      if (b == null || a.length != b.length) {
        continue;
      }
      positions++;
      sameTop += top(a) == top(b) ? 1 : 0;
      identical &= Arrays.equals(a, b);
      finite &= allFinite(a) && allFinite(b);
      double here = relative(a, b);
      relative += here;
      largestRelative = Math.max(largestRelative, here);
      for (int i = 0; i < a.length; i++) {
        largest = Math.max(largest, Math.abs((double) a[i] - b[i]));
      }
    }
    int n = Math.max(1, positions);
    return new Difference(
        positions, identical, finite, relative / n, largestRelative, largest, sameTop / (double) n);
  }

  private static double relative(float[] a, float[] b) {
    double mean = 0;
    for (float x : a) {
      mean += x;
    }
    mean /= a.length;
    double difference = 0;
    double size = 0;
    for (int i = 0; i < a.length; i++) {
      difference += ((double) a[i] - b[i]) * ((double) a[i] - b[i]);
      size += (a[i] - mean) * (a[i] - mean);
    }
    return difference == 0 ? 0 : Math.sqrt(difference / size);
  }

  private static int top(float[] row) {
    int top = 0;
    for (int i = 1; i < row.length; i++) {
      top = row[i] > row[top] ? i : top;
    }
    return top;
  }

  private static boolean allFinite(float[] row) {
    for (float x : row) {
      if (!Float.isFinite(x)) {
        return false;
      }
    }
    return true;
  }
}
