package org.modeltracer.kernels;

/**
 * Natural logarithm of positive floats, good to 1e-7 absolute and several times faster than {@link
 * Math#log}.
 *
 * <p>The mantissa is looked up to 11 bits, the rest is the first term of the series.
 */
public final class FastLog {
  private static final int BITS = 11;
  private static final int SHIFT = 23 - BITS;
  private static final double LN2 = Math.log(2);
  private static final double[] LOG = new double[1 << BITS];
  private static final double[] INVERSE = new double[1 << BITS];

  static {
    for (int i = 0; i < LOG.length; i++) {
      double center = 1 + (i + 0.5) / LOG.length;
      LOG[i] = Math.log(center);
      INVERSE[i] = 1 / center;
    }
  }

  private FastLog() {}

  /** Natural logarithm of a positive number. */
  public static double log(float x) {
    int bits = Float.floatToRawIntBits(x);
    int exponent = bits >>> 23;
    if (exponent == 0 || exponent >= 255) {
      return Math.log(x);
    }
    int mantissa = bits & 0x7fffff;
    int i = mantissa >>> SHIFT;
    float m = Float.intBitsToFloat(mantissa | 0x3f800000);
    return (exponent - 127) * LN2 + LOG[i] + (m * INVERSE[i] - 1);
  }
}
