package org.modeltracer.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.function.ToDoubleFunction;
import org.jspecify.annotations.Nullable;
import org.modeltracer.cli.SyntheticModel.Shape;

/**
 * How what a mode adds to a token grows with a model's layers, its heads and the context.
 *
 * <p>One of the three is varied, the others stay. The exponent is the slope of the straight line
 * through the logarithms, by least squares: 0 is no growth, 1 as much as the factor, 2 its square.
 *
 * @param mode what observes
 * @param prompt exponents of a token of the prompt
 * @param generation exponents of a generated token
 */
record CostGrowth(String mode, Exponents prompt, Exponents generation) {
  private static final int[] LAYERS = {4, 8, 16};
  private static final int[] HEADS = {4, 8, 16};
  private static final int[] CONTEXTS = {256, 512, 1024};
  private static final int MIDDLE = 1;
  private static final int HEAD_WIDTH = 64;

  /** Exponents by factor; null where a measurement found no cost, which has no logarithm. */
  record Exponents(@Nullable Double layers, @Nullable Double heads, @Nullable Double context) {}

  /** Measures all modes on a model of a shape, at a length of prompt each. */
  interface Measure {
    /** Results by length of prompt, of which the first mode is untraced. */
    List<List<Contest.Result>> of(Shape shape, int... contexts);
  }

  /** Growth of each mode but the untraced one. */
  static List<CostGrowth> of(Measure measure) {
    int layers = LAYERS[MIDDLE];
    int heads = HEADS[MIDDLE];
    int context = CONTEXTS[MIDDLE];
    List<List<Contest.Result>> byContext = measure.of(shape(layers, heads), CONTEXTS);
    var byLayers = new ArrayList<List<Contest.Result>>();
    for (int n : LAYERS) {
      byLayers.add(
          n == layers ? byContext.get(MIDDLE) : measure.of(shape(n, heads), context).getFirst());
    }
    var byHeads = new ArrayList<List<Contest.Result>>();
    for (int n : HEADS) {
      byHeads.add(
          n == heads ? byContext.get(MIDDLE) : measure.of(shape(layers, n), context).getFirst());
    }
    var growth = new ArrayList<CostGrowth>();
    for (int mode = 1; mode < byContext.getFirst().size(); mode++) {
      growth.add(
          new CostGrowth(
              byContext.getFirst().get(mode).mode(),
              exponents(
                  mode, byLayers, byHeads, byContext, r -> r.promptExtraMicroseconds().median()),
              exponents(
                  mode,
                  byLayers,
                  byHeads,
                  byContext,
                  r -> r.generationExtraMicroseconds().median())));
    }
    return growth;
  }

  private static Shape shape(int layers, int heads) {
    int width = HEAD_WIDTH * heads;
    return new Shape(
        layers + " layers, " + heads + " heads", layers, width, heads, heads, 2 * width);
  }

  private static Exponents exponents(
      int mode,
      List<List<Contest.Result>> byLayers,
      List<List<Contest.Result>> byHeads,
      List<List<Contest.Result>> byContext,
      ToDoubleFunction<Contest.Result> cost) {
    return new Exponents(
        slope(LAYERS, costs(byLayers, mode, cost)),
        slope(HEADS, costs(byHeads, mode, cost)),
        slope(CONTEXTS, costs(byContext, mode, cost)));
  }

  private static double[] costs(
      List<List<Contest.Result>> results, int mode, ToDoubleFunction<Contest.Result> cost) {
    return results.stream().mapToDouble(r -> cost.applyAsDouble(r.get(mode))).toArray();
  }

  /** Slope of ln cost over ln factor, null where a cost is not positive. */
  static @Nullable Double slope(int[] factors, double[] costs) {
    double x = 0;
    double y = 0;
    double xx = 0;
    double xy = 0;
    int n = factors.length;
    for (int i = 0; i < n; i++) {
      if (!(costs[i] > 0)) {
        return null;
      }
      double f = Math.log(factors[i]);
      double c = Math.log(costs[i]);
      x += f;
      y += c;
      xx += f * f;
      xy += f * c;
    }
    return (n * xy - x * y) / (n * xx - x * x);
  }
}
