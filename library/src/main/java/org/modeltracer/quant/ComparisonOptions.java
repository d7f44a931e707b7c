package org.modeltracer.quant;

import org.modeltracer.anomaly.Thresholds;

/**
 * What to compare.
 *
 * @param everyNode whether all nodes are compared, or only the named places of the transformer
 * @param local whether each layer's own error is measured too, by a second run
 * @param tolerance relative error of a row beyond which two runs count as diverged
 * @param thresholds cosines that tell acceptable, warning and critical apart
 */
public record ComparisonOptions(
    boolean everyNode, boolean local, double tolerance, Thresholds thresholds) {
  /** Relative error of a row that is tolerated by default. */
  public static final double TOLERANCE = 1e-3;

  /** Everything. */
  public static ComparisonOptions defaults() {
    return new ComparisonOptions(true, true, TOLERANCE, Thresholds.defaults());
  }

  /** The same with named places only, or with every node. */
  public ComparisonOptions withEveryNode(boolean all) {
    return new ComparisonOptions(all, local, tolerance, thresholds);
  }

  /** The same with or without each layer's own error. */
  public ComparisonOptions withLocal(boolean measured) {
    return new ComparisonOptions(everyNode, measured, tolerance, thresholds);
  }

  /** The same with another tolerance. */
  public ComparisonOptions withTolerance(double relative) {
    return new ComparisonOptions(everyNode, local, relative, thresholds);
  }
}
