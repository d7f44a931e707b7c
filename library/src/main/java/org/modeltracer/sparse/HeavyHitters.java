package org.modeltracer.sparse;

import java.util.Arrays;

/** The keys that one head still holds under a budget, and the weight that each got so far. */
final class HeavyHitters {
  private boolean[] alive = {};
  private double[] mass = {};
  private int seen;

  /** Takes the next row of a text: marks what it keeps, and drops what has fallen behind. */
  void keep(float[] weights, int n, int budget, boolean[] kept) {
    if (n <= seen) {
      seen = 0;
      Arrays.fill(alive, false);
      Arrays.fill(mass, 0);
    }
    if (alive.length < n) {
      alive = Arrays.copyOf(alive, 2 * n);
      mass = Arrays.copyOf(mass, 2 * n);
    }
    Arrays.fill(alive, seen, n, true);
    seen = n;
    int held = 0;
    for (int i = 0; i < n; i++) {
      held += alive[i] ? 1 : 0;
    }
    // Keys are dropped before the row attends, by what earlier rows gave them.
    for (; held > budget; held--) {
      drop(n, budget);
    }
    double sum = 0;
    for (int i = 0; i < n; i++) {
      sum += alive[i] ? weights[i] : 0;
    }
    for (int i = 0; i < n; i++) {
      kept[i] = alive[i];
      mass[i] += alive[i] && sum > 0 ? weights[i] / sum : 0;
    }
  }

  private void drop(int n, int budget) {
    int least = -1;
    int recent = n - Math.max(1, budget / 2);
    for (int i = 0; i < recent; i++) {
      if (alive[i] && (least < 0 || mass[i] < mass[least])) {
        least = i;
      }
    }
    if (least >= 0) {
      alive[least] = false;
    }
  }
}
