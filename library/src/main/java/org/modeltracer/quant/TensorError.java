package org.modeltracer.quant;

/**
 * How far the values of a tensor are from the reference's.
 *
 * @param mse mean squared error
 * @param maxAbs largest absolute error
 * @param relativeL2 ‖error‖ / ‖reference‖; infinite when the reference is zero and the other is not
 * @param cosine cosine between the two, −1 to 1; 1 when they are equal, NaN when one of them is
 *     zero
 * @param snrDb 10 log₁₀(‖reference‖² / ‖error‖²); infinite when they are equal
 */
public record TensorError(
    double mse, double maxAbs, double relativeL2, double cosine, double snrDb) {

  /** The error of sums over {@code count} values. */
  static TensorError of(
      double count,
      double maxAbs,
      double error2,
      double reference2,
      double other2,
      double product) {
    return error2 == 0
        ? new TensorError(0, 0, 0, 1, Double.POSITIVE_INFINITY)
        : new TensorError(
            error2 / count,
            maxAbs,
            Math.sqrt(error2 / reference2),
            Math.clamp(product / Math.sqrt(reference2 * other2), -1, 1),
            10 * Math.log10(reference2 / error2));
  }
}
