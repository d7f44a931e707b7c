package org.modeltracer.trace;

import java.util.List;

/**
 * What was seen of attention over the run.
 *
 * @param rows rows of all heads
 * @param heads every head with a row, by layer
 * @param sampled number of rows in the sample
 * @param sample a seeded sample of the rows
 */
public record AttentionSummary(
    long rows, List<Head> heads, int sampled, List<AttentionWeightTrace> sample) {

  /**
   * Means over the rows of a head; NaN where no row sees two keys.
   *
   * @param layer layer index, from 0
   * @param head query head, from 0
   * @param rows number of rows
   * @param entropy in nats
   * @param normalizedEntropy entropy over ln k, 0 to 1
   * @param sinkMass weight on position 0
   * @param recency weight on the query itself and the three positions before it
   * @param maxWeight largest weight
   * @param uniformRows number of rows that look everywhere alike
   */
  public record Head(
      int layer,
      int head,
      long rows,
      double entropy,
      double normalizedEntropy,
      double sinkMass,
      double recency,
      double maxWeight,
      long uniformRows) {}
}
