package org.modeltracer.quant;

/**
 * How far the values of a tensor are from the reference's, of those that are finite on both sides;
 * all NaN where none is.
 *
 * @param mse mean squared error
 * @param maxAbs largest absolute error
 * @param relativeL2 ‖error‖ / ‖reference‖; infinite when the reference is zero and the other is not
 * @param cosine cosine between the two, −1 to 1; 1 when they are equal, NaN when one of them is
 *     zero
 * @param scale the factor that the reference is best multiplied with, ⟨reference, other⟩ /
 *     ‖reference‖²; NaN when the reference is zero
 * @param snrDb 10 log₁₀(‖reference‖² / ‖error‖²); infinite when they are equal
 */
public record TensorError(
    double mse, double maxAbs, double relativeL2, double cosine, double scale, double snrDb) {

  /** Beyond this the factor is no rounding, if direction has hardly suffered. */
  private static final double SCALED = 0.05;

  private static final double SAME_DIRECTION = 0.99;

  /**
   * What a level is judged by: the cosine, or, where that is less, the cosine of noise of this
   * relative error at a right angle to the reference, 1 / √(1 + relativeL2²). The two are the same
   * for noise; a wrong scale, which no cosine shows, has the second alone.
   */
  public double likeness() {
    double noise = 1 / Math.sqrt(1 + relativeL2 * relativeL2);
    return noise < cosine ? noise : cosine;
  }

  /** Whether this is the reference multiplied with a factor, more than anything else. */
  public boolean scaled() {
    return cosine > SAME_DIRECTION && Math.abs(scale - 1) > SCALED;
  }

  /** The error of no value at all, as where none is finite. */
  static final TensorError NONE =
      new TensorError(Double.NaN, Double.NaN, Double.NaN, Double.NaN, Double.NaN, Double.NaN);

  /** The error of sums over {@code count} values. */
  static TensorError of(
      double count,
      double maxAbs,
      double error2,
      double reference2,
      double other2,
      double product) {
    return error2 == 0
        ? new TensorError(0, 0, 0, 1, 1, Double.POSITIVE_INFINITY)
        : new TensorError(
            error2 / count,
            maxAbs,
            Math.sqrt(error2 / reference2),
            Math.clamp(product / Math.sqrt(reference2 * other2), -1, 1),
            product / reference2,
            10 * Math.log10(reference2 / error2));
  }
}
