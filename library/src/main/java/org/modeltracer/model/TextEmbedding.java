package org.modeltracer.model;

/**
 * The embedding of one text, gathered from the last states of its tokens, which come in any order.
 */
public final class TextEmbedding {
  private final Pooling pooling;
  private double[] sum = {};
  private int tokens;
  private int position = -1;

  /** The embedding of a text of which nothing has been seen yet. */
  public TextEmbedding(Pooling pooling) {
    this.pooling = pooling;
  }

  /**
   * Adds a token.
   *
   * @param at position of the token in the text, from 0
   * @param state begins with {@code width} numbers
   */
  public void add(int at, float[] state, int width) {
    boolean counts =
        switch (pooling) {
          case MEAN -> true;
          case CLS -> tokens == 0 || at < position;
          case LAST -> tokens == 0 || at > position;
        };
    tokens++;
    if (!counts) {
      return;
    }
    if (sum.length != width || pooling != Pooling.MEAN) {
      sum = new double[width];
    }
    position = at;
    for (int i = 0; i < width; i++) {
      sum[i] += state[i];
    }
  }

  /** Whether no token has been added. */
  public boolean isEmpty() {
    return tokens == 0;
  }

  /** The embedding, {@code [width]}, of length 1; NaN where the states have no direction. */
  public double[] unit() {
    double length = Math.sqrt(dot(sum, sum));
    double[] unit = new double[sum.length];
    for (int i = 0; i < unit.length; i++) {
      unit[i] = sum[i] / length;
    }
    return unit;
  }

  /**
   * Cosine of the angle between two embeddings of one width, −1 to 1; NaN where one is no number.
   */
  public double cosine(TextEmbedding other) {
    double cosine = dot(unit(), other.unit());
    return Double.isNaN(cosine) ? cosine : Math.clamp(cosine, -1, 1);
  }

  private static double dot(double[] a, double[] b) {
    double dot = 0;
    for (int i = 0; i < a.length; i++) {
      dot += a[i] * b[i];
    }
    return dot;
  }
}
