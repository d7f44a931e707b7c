package org.modeltracer.sparse;

import org.jspecify.annotations.Nullable;

/**
 * How numbers are distributed, in bounded memory whatever their count, and mergeable.
 *
 * <p>Moments are exact (Welford; Chan, Golub and LeVeque 1983). Quantiles come from buckets that
 * are 1/32 of a power of two wide: off by at most 1/64 of the value.
 */
final class ScoreDistribution {
  private static final int SHIFT = 18;
  private static final int SUB = 32;
  private static final int PAGES = 1 << (32 - SHIFT) >> 5;

  private final long[] @Nullable [] pages = new long[PAGES][];
  private long count;
  private long zeros;
  private double mean;
  private double m2;
  private double min = Double.POSITIVE_INFINITY;
  private double max = Double.NEGATIVE_INFINITY;

  void add(float value) {
    if (!Float.isFinite(value)) {
      return;
    }
    count++;
    zeros += value == 0 ? 1 : 0;
    double delta = value - mean;
    mean += delta / count;
    m2 += delta * (value - mean);
    min = Math.min(min, value);
    max = Math.max(max, value);
    int bucket = bucket(value);
    long[] page = pages[bucket / SUB];
    if (page == null) {
      page = new long[SUB];
      pages[bucket / SUB] = page;
    }
    page[bucket % SUB]++;
  }

  void merge(ScoreDistribution other) {
    if (other.count == 0) {
      return;
    }
    double all = count + other.count;
    double delta = other.mean - mean;
    m2 += other.m2 + delta * delta * count * other.count / all;
    mean += delta * other.count / all;
    count += other.count;
    zeros += other.zeros;
    min = Math.min(min, other.min);
    max = Math.max(max, other.max);
    for (int p = 0; p < PAGES; p++) {
      long[] more = other.pages[p];
      if (more == null) {
        continue;
      }
      long[] page = pages[p];
      if (page == null) {
        page = new long[SUB];
        pages[p] = page;
      }
      for (int i = 0; i < SUB; i++) {
        page[i] += more[i];
      }
    }
  }

  /** Buckets in the order of their values, negative ones first. */
  private static int bucket(float value) {
    int bits = Float.floatToIntBits(value == 0 ? 0f : value);
    int order = bits ^ (bits >> 31 | Integer.MIN_VALUE);
    return order >>> SHIFT;
  }

  /** The middle of a bucket. */
  private static double middle(int bucket) {
    return (edge(bucket) + edge(bucket + 1)) / 2;
  }

  private static double edge(int bucket) {
    int order = bucket << SHIFT;
    int bits = order < 0 ? order & Integer.MAX_VALUE : ~order;
    return Float.intBitsToFloat(bits);
  }

  /** The value below which a share of all lies; NaN when there is none. */
  double quantile(double share) {
    if (count == 0) {
      return Double.NaN;
    }
    long rank = Math.round(share * (count - 1));
    long seen = 0;
    for (int b = 0; b < PAGES * SUB; b++) {
      long[] page = pages[b / SUB];
      if (page == null) {
        b += SUB - 1;
        continue;
      }
      seen += page[b % SUB];
      if (seen > rank) {
        return b == bucket(0f) ? 0 : Math.clamp(middle(b), min, max);
      }
    }
    return max;
  }

  /** What is reported; null when there was no number. */
  @Nullable ScoreSummary summary() {
    if (count == 0) {
      return null;
    }
    return new ScoreSummary(
        count,
        mean,
        Math.sqrt(m2 / count),
        min,
        max,
        quantile(0.01),
        quantile(0.05),
        quantile(0.25),
        quantile(0.5),
        quantile(0.75),
        quantile(0.95),
        quantile(0.99),
        (double) zeros / count);
  }
}
