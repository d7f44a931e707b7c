package org.modeltracer.gate.checks;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;
import org.modeltracer.session.SessionListener;

/** Logits of some positions, kept: {@code [position, vocabulary]}. */
final class Logits implements SessionListener {
  private final Map<Integer, float[]> rows = new TreeMap<>();

  /**
   * How two sets of logits differ at the positions that both have.
   *
   * @param positions number of these positions
   * @param identical whether they are the same, bit by bit
   * @param finite whether all are finite
   * @param relative mean over positions of ‖a − b‖ / ‖a − mean(a)‖; a shift of all logits is no
   *     part of their size, as it changes no probability
   * @param largestRelative the same at the position where it is largest
   * @param largest largest difference of one logit
   * @param sameTop share of positions with the same most probable token
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
    rows.put(position, logits.toArray(ValueLayout.JAVA_FLOAT));
  }

  /** Compares with others. */
  Difference against(Logits others) {
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
