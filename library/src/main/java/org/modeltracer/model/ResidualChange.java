package org.modeltracer.model;

/**
 * What a layer does to the residual stream, summed over some tokens. ShortGPT, Men et al. 2024.
 *
 * <p>A window that is used again, since a pass hands one over for each layer: who is given one
 * reads it during the call, or adds it to one of its own.
 */
public final class ResidualChange {
  private long rows;
  private double normIn;
  private double normDelta;
  private double normOut;
  private double cosine;
  private double relativeDelta;

  /** Makes these the sums over no tokens. */
  public void clear() {
    rows = 0;
    normIn = normDelta = normOut = cosine = relativeDelta = 0;
  }

  /** Adds one token: ‖x_in‖, ‖x_out − x_in‖, ‖x_out‖ and cos(x_in, x_out). */
  public ResidualChange add(double in, double delta, double out, double cos) {
    rows++;
    normIn += in;
    normDelta += delta;
    normOut += out;
    cosine += cos;
    relativeDelta += in > 0 ? delta / in : 0;
    return this;
  }

  /** Adds the sums over other tokens. */
  public void add(ResidualChange other) {
    rows += other.rows;
    normIn += other.normIn;
    normDelta += other.normDelta;
    normOut += other.normOut;
    cosine += other.cosine;
    relativeDelta += other.relativeDelta;
  }

  /** Number of tokens behind the sums. */
  public long rows() {
    return rows;
  }

  /** Sum over tokens of ‖x_in‖. */
  public double normIn() {
    return normIn;
  }

  /** Sum over tokens of ‖x_out − x_in‖. */
  public double normDelta() {
    return normDelta;
  }

  /** Sum over tokens of ‖x_out‖. */
  public double normOut() {
    return normOut;
  }

  /** Sum over tokens of cos(x_in, x_out). */
  public double cosine() {
    return cosine;
  }

  /** Sum over tokens of ‖x_out − x_in‖ / ‖x_in‖, 0 for a token that enters as zeros. */
  public double relativeDelta() {
    return relativeDelta;
  }

  /** Whether all sums are finite. */
  public boolean isFinite() {
    return Double.isFinite(normIn + normDelta + normOut + cosine + relativeDelta);
  }

  /** Share of what leaves the layer that was there before, ‖x_in‖ / (‖x_in‖ + ‖Δ‖), 0 to 1. */
  public double kept() {
    return normIn / (normIn + normDelta);
  }
}
