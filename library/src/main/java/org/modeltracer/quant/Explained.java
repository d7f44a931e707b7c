package org.modeltracer.quant;

import java.util.List;

/**
 * What its arithmetic explains of a node.
 *
 * @param error for each row the expected ‖error‖ of the coarser side
 * @param sample numbers of the node, computed again in float64 from the reference's inputs
 */
record Explained(double[] error, List<Exact> sample) {
  /** What a number of the node would be without rounding. */
  record Exact(int row, int column, double value) {}
}
