package org.modeltracer.kernels;

import java.lang.foreign.MemorySegment;

/**
 * The inner loops of tracing.
 *
 * <p>There are two providers: one in vectors ({@code jdk.incubator.vector}) and its scalar twin.
 * They agree but for rounding, within the errors that each method names. Methods allocate nothing,
 * keep nothing, and may be called from any thread.
 */
public interface Kernels {
  /**
   * The kernels of this process: those in vectors once a model is at work that is large enough for
   * what compiling them costs, the scalar ones else. That depends on nothing that changes from run
   * to run, so that the same run gives the same numbers.
   */
  static Kernels chosen() {
    return Provider.chosen();
  }

  /** Whether vectors pay for a model of so many parameters. */
  static boolean large(long parameters) {
    return Provider.large(parameters);
  }

  /** A model of so many parameters is about to be traced. */
  static void expect(long parameters) {
    Provider.expect(parameters);
  }

  /**
   * Sums of a block of float32 values for its statistics.
   *
   * @param values holds them from byte {@code offset} on
   * @param n at most {@link Moments#BLOCK}
   * @param center a number in their midst, about which sums are taken
   * @return whether all values are finite; if not, {@code into} is not to be used
   */
  boolean moments(MemorySegment values, long offset, int n, float center, Moments into);

  /**
   * Sums of a row of weights, which are at least 0: relative error 1e-6, but of its entropy H,
   * whose error is below 1e-6 · (1 + H).
   */
  void row(float[] weights, int n, RowSums into);

  /** Sum of weights from an index on, up to before another: relative error 1e-6. */
  double sum(float[] weights, int from, int to);

  /** Sum of the squares of n values from an index on: relative error 1e-6. */
  double squares(float[] values, int from, int n);

  /** How many of the first n weights are smaller than a limit. */
  int below(float[] weights, int n, float limit);

  /** Sum of those of the first n weights that are at least a limit: relative error 1e-6. */
  double mass(float[] weights, int n, float least);

  /**
   * Index of the first weight from {@code from} on, before {@code n}, that is at least a limit; n
   * if there is none.
   */
  int next(float[] weights, int from, int n, float limit);

  /** Adds the first n values to a target from an index on. */
  void add(float[] values, int n, double[] target, int at);

  /** Adds the first n values to a target from an index on downwards. */
  void addReversed(float[] values, int n, double[] target, int at);

  /**
   * Where one of the first n values is larger than the largest so far, it and its owner take over.
   */
  void lead(float[] values, int n, float[] largest, int[] leaders, int at, int owner);

  /** Adds values to a target from an index on, both from an index on. */
  void add(float[] values, int from, int n, float[] target, int at);

  /**
   * Turns scores into weights: {@code e^(scale·s − m) / Σ}, where a sink takes a share that belongs
   * to no key. Relative error of a weight 3e-7 and {@code 6e-8·|scale·s − m|}.
   *
   * @param line n scores, replaced by weights
   * @param sink score of the sink, minus infinity for none
   */
  void softmax(float[] line, int n, float scale, float sink);

  /**
   * Products of few vectors with many that lie one by one.
   *
   * @param few {@code [rows, width]}
   * @param many vector i begins at float {@code at + i · stride}
   * @param into {@code [rows, room]}, takes the products with {@code from ≤ i < to}
   */
  void products(
      float[] few,
      int rows,
      int width,
      MemorySegment many,
      long at,
      long stride,
      int from,
      int to,
      float[] into,
      int room);

  /** Vectors in a panel of {@link #panels}. */
  int panel();

  /**
   * Lays out vectors for {@link #panelProducts}: panel by panel, and in a panel dimension by
   * dimension.
   *
   * @param many vector i begins at float {@code at + i · stride}
   * @param into room for as many vectors as fill whole panels
   */
  default void panels(
      MemorySegment many, long at, long stride, int count, int width, float[] into) {
    Panels.lay(many, at, stride, count, width, panel(), into);
  }

  /**
   * Products of few vectors with many that {@link #panels} has laid out.
   *
   * @param few {@code [rows, width]}
   * @param from first of the many, a multiple of the panel
   * @param to end of the many; what fills its panel is computed, too
   * @param into {@code [rows, room]}
   */
  void panelProducts(
      float[] few, int rows, int width, float[] panels, int from, int to, float[] into, int room);

  /**
   * Sums of vectors, each weighted: {@code into[r, k] = Σ weights[r, j] · vectors[j][k]} over j in
   * {@code [from, to)}, for k from a column to as many as fill a panel.
   *
   * @param weights {@code [rows, room]}
   * @param vectors have at least {@code column + panel()} entries each
   * @param into {@code [rows, room]}
   */
  void combine(
      float[] weights,
      int rows,
      int room,
      float[][] vectors,
      int from,
      int to,
      int column,
      float[] into);
}
