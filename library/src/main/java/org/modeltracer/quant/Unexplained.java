package org.modeltracer.quant;

import org.modeltracer.model.Place;

/**
 * The first node, in the reference's order of execution, that differs by more than rounding
 * explains though both sides had the same inputs.
 *
 * @param place where in the transformer
 * @param tensor name in the reference's graph
 * @param op operation that computes it there
 * @param otherTensor name in the other graph
 * @param position of the token whose row differs, counted over the whole text
 * @param relativeL2 ‖error‖ / ‖reference‖ of that row; infinite where one side alone is not finite
 * @param explained what rounding explains of it at most
 * @param side which side is wrong
 */
public record Unexplained(
    Place place,
    String tensor,
    String op,
    String otherTensor,
    long position,
    double relativeL2,
    double explained,
    Side side) {

  /** A side of a comparison. */
  public enum Side {
    /** Its numbers are not those of float64, while the reference's are. */
    MODEL,
    /** The reference's own numbers are not those of float64. */
    REFERENCE,
    /** Not told: the operation was not computed again. */
    UNKNOWN
  }

  /** What to call it: its name in the graph, or its place where llama.cpp gave it none. */
  public String name() {
    return tensor.isEmpty() || tensor.startsWith("node_") ? place.toString() : tensor;
  }
}
