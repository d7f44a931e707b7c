package org.modeltracer.trace;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Softmax facts of one position's scores, in two passes and without allocating. */
public final class LogitScan {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
  private MemorySegment logits = MemorySegment.NULL;
  private long offset;
  private int vocabulary;
  int bad;
  int finite;
  boolean constant;
  double entropy;
  private double logSum;

  /**
   * Scans the scores of all tokens, float32 at a byte offset; offers them to {@code top}.
   *
   * <p>They must stay readable while they are asked about.
   */
  public void scan(MemorySegment logits, long offset, int vocabulary, TopK top) {
    this.logits = logits;
    this.offset = offset;
    this.vocabulary = vocabulary;
    top.clear();
    bad = finite = 0;
    float max = Float.NEGATIVE_INFINITY;
    float min = Float.POSITIVE_INFINITY;
    for (int i = 0; i < vocabulary; i++) {
      float x = logits.get(FLOAT, offset + 4L * i);
      if (x - x == 0f) {
        finite++;
        if (x > max) max = x;
        if (x < min) min = x;
        top.offer(i, x);
      } else if (x != Float.NEGATIVE_INFINITY) {
        bad++;
      }
    }
    constant = finite == vocabulary && max == min;
    softmax(max);
  }

  private void softmax(double max) {
    double z = 0;
    double weighted = 0;
    for (int i = 0; i < vocabulary; i++) {
      float x = logits.get(FLOAT, offset + 4L * i);
      if (x - x == 0f) {
        double d = x - max;
        double e = Math.exp(d);
        z += e;
        weighted += d * e;
      }
    }
    double log = Math.log(z);
    entropy = Math.max(0, log - weighted / z);
    logSum = max + log;
  }

  /** Whether there is a distribution: no score is NaN or positive infinity, and one is finite. */
  public boolean sound() {
    return bad == 0 && finite > 0;
  }

  /** Entropy of the distribution in nats. */
  public double entropy() {
    return entropy;
  }

  /** Score of a token. */
  public double logit(int token) {
    return logits.get(FLOAT, offset + 4L * token);
  }

  /** Probability of a token, 0 to 1. */
  public double probability(int token) {
    return Math.exp(logit(token) - logSum);
  }

  /** Number of tokens with a higher score, or an equal score and a lower id. */
  public int rank(int token) {
    float own = logits.get(FLOAT, offset + 4L * token);
    int rank = 0;
    for (int i = 0; i < vocabulary; i++) {
      float x = logits.get(FLOAT, offset + 4L * i);
      if (x > own || (x == own && i < token)) {
        rank++;
      }
    }
    return rank;
  }

  /**
   * Kullback–Leibler divergence D(this ‖ other) in nats: what it costs to take the other
   * distribution for this one; infinite where the other rules out what this one does not.
   */
  public double divergence(LogitScan other) {
    double sum = 0;
    for (int i = 0; i < vocabulary; i++) {
      double p = probability(i);
      if (p > 0) {
        sum += p * (logit(i) - other.logit(i));
      }
    }
    return Math.max(0, sum - logSum + other.logSum);
  }
}
