package org.modeltracer.sparse.patterns;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Mass and keys that each fixed rule keeps, by parameter: exact, since what such a rule keeps is a
 * sum over distances, or the inside of blocks.
 *
 * <p>Where several heads share keys, mass is that of the head that is left with least: a key can go
 * only if all of them do without.
 */
final class FixedCurves {
  /** What rounding takes of a mass that is all there. */
  private static final double ROUNDING = 1e-6;

  /** Mean mass and keys for each parameter. */
  private record Curve(int[] parameters, double[] mass, double[] keys) {}

  private final Map<FixedForm, Curve> curves;
  private final double visible;

  private FixedCurves(Map<FixedForm, Curve> curves, double visible) {
    this.curves = curves;
    this.visible = visible;
  }

  /** Of one head, which has rows. */
  static FixedCurves of(HeadSums head) {
    double[] mass = running(head.mass());
    double[] keys = running(head.keys());
    double[] restMass = running(head.restMass());
    double[] restKeys = running(head.restKeys());
    int distances = mass.length - 1;
    int[] windows = new int[distances];
    Arrays.setAll(windows, i -> i + 1);
    int[] strides = new int[Math.max(0, distances - 1)];
    Arrays.setAll(strides, i -> i + 2);
    double n = head.rows;
    var curves = new EnumMap<FixedForm, Curve>(FixedForm.class);
    curves.put(
        FixedForm.WINDOW,
        new Curve(windows, each(windows, w -> mass[w] / n), each(windows, w -> keys[w] / n)));
    curves.put(
        FixedForm.SINK_WINDOW,
        new Curve(
            windows,
            each(windows, w -> (head.first + restMass[w]) / n),
            each(windows, w -> (head.firstKeys() + restKeys[w]) / n)));
    curves.put(
        FixedForm.STRIDED,
        new Curve(
            strides,
            each(strides, s -> strided(mass, s) / n),
            each(strides, s -> strided(keys, s) / n)));
    int[] sizes = BlockSums.SIZES;
    curves.put(
        FixedForm.BLOCK,
        new Curve(
            sizes,
            each(indices(sizes), b -> head.blocks.mass(b) / n),
            each(indices(sizes), b -> head.blocks.keys(b) / n)));
    return new FixedCurves(curves, (double) head.visible / head.rows);
  }

  /** Of heads that share keys, all with the same rows. */
  static FixedCurves shared(List<FixedCurves> heads) {
    var curves = new EnumMap<FixedForm, Curve>(FixedForm.class);
    for (FixedForm form : FixedForm.values()) {
      List<Curve> each = heads.stream().map(head -> head.curve(form)).toList();
      Curve longest = each.stream().max(Comparator.comparingInt(c -> c.mass.length)).orElseThrow();
      double[] mass = new double[longest.mass.length];
      for (int i = 0; i < mass.length; i++) {
        int at = i;
        mass[i] =
            each.stream().mapToDouble(c -> c.mass[Math.min(at, c.mass.length - 1)]).min().orElse(0);
      }
      curves.put(form, new Curve(longest.parameters, mass, longest.keys));
    }
    return new FixedCurves(curves, heads.getFirst().visible);
  }

  private Curve curve(FixedForm form) {
    return curves.getOrDefault(form, new Curve(new int[0], new double[0], new double[0]));
  }

  /** Of each rule that can keep so much mass, the parameter with which it keeps fewest keys. */
  List<FixedPattern> keeping(double mass) {
    var found = new ArrayList<FixedPattern>();
    for (FixedForm form : FixedForm.values()) {
      Curve curve = curve(form);
      int best = -1;
      for (int i = 0; i < curve.mass.length; i++) {
        if (curve.mass[i] >= mass - ROUNDING && (best < 0 || curve.keys[i] < curve.keys[best])) {
          best = i;
        }
      }
      if (best >= 0) {
        found.add(
            new FixedPattern(
                form,
                curve.parameters[best],
                Math.min(1, curve.mass[best]),
                curve.keys[best],
                curve.keys[best] / visible));
      }
    }
    return List.copyOf(found);
  }

  /** Mean number of keys in sight. */
  double visible() {
    return visible;
  }

  /** The one that keeps fewest keys. */
  static Optional<FixedPattern> fewest(List<FixedPattern> patterns) {
    return patterns.stream().min(Comparator.comparingDouble(FixedPattern::keys));
  }

  private interface Sum {
    double of(int parameter);
  }

  private static double[] each(int[] parameters, Sum sum) {
    return Arrays.stream(parameters).mapToDouble(sum::of).toArray();
  }

  private static int[] indices(int[] values) {
    int[] at = new int[values.length];
    Arrays.setAll(at, i -> i);
    return at;
  }

  /** Sums of the first 0, 1, 2, … values. */
  private static double[] running(double[] values) {
    double[] sums = new double[values.length + 1];
    for (int i = 0; i < values.length; i++) {
      sums[i + 1] = sums[i] + values[i];
    }
    return sums;
  }

  private static double strided(double[] running, int stride) {
    double sum = running[stride];
    for (int d = stride; d < running.length - 1; d += stride) {
      sum += running[d + 1] - running[d];
    }
    return sum;
  }
}
