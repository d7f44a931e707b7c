package org.modeltracer.sparse;

import org.jspecify.annotations.Nullable;

/**
 * What one attention head does over all keys that it could see, and over those that are selected;
 * means over queries. What a selection would say is null where there is none.
 *
 * @param head its number
 * @param queries queries measured
 * @param recall share of its attention mass on selected keys
 * @param entropy entropy of its attention over all keys, nats
 * @param entropySelected entropy over the selected keys alone, renormalized, nats
 * @param sink mass on positions 0 to 3, over all keys
 * @param sinkSelected the same over the selected keys alone
 * @param profile mass by distance, query − key: 0, 1, 2–3, 4–7, …; over all keys
 * @param profileSelected the same over the selected keys alone
 * @param moved how much of the mass lies at other distances under the selection: total variation of
 *     the two profiles, 0 to 1
 */
public record HeadContrast(
    int head,
    long queries,
    @Nullable Double recall,
    @Nullable Double entropy,
    @Nullable Double entropySelected,
    @Nullable Double sink,
    @Nullable Double sinkSelected,
    double[] profile,
    double @Nullable [] profileSelected,
    @Nullable Double moved) {

  /** How much of the mass lies at other distances than another head's: total variation, 0 to 1. */
  public double distanceTo(HeadContrast other) {
    return variation(profile, other.profile);
  }

  /** Half the sum of absolute differences; what one is too short for is 0. */
  static double variation(double[] a, double[] b) {
    double sum = 0;
    for (int i = 0; i < Math.max(a.length, b.length); i++) {
      sum += Math.abs((i < a.length ? a[i] : 0) - (i < b.length ? b[i] : 0));
    }
    return sum / 2;
  }
}
