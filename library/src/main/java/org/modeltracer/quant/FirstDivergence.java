package org.modeltracer.quant;

import org.modeltracer.model.Place;

/**
 * The first node, in the reference's order of execution, that differs by more than is tolerated.
 *
 * @param place where in the transformer
 * @param tensor name in the reference's graph
 * @param op operation that computes it there
 * @param otherTensor name in the other graph
 * @param position of the token whose row differs, counted over the whole text
 * @param relativeL2 ‖error‖ / ‖reference‖ of that row; NaN when it is not finite
 */
public record FirstDivergence(
    Place place, String tensor, String op, String otherTensor, long position, double relativeL2) {

  static FirstDivergence of(NodePair pair, long position, double relativeL2) {
    return new FirstDivergence(
        pair.reference().place(),
        pair.reference().tensor(),
        pair.reference().op(),
        pair.other().tensor(),
        position,
        relativeL2);
  }
}
