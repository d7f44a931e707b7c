package org.modeltracer.sparse;

import java.util.List;
import org.jspecify.annotations.Nullable;
import org.modeltracer.graph.GraphNode;
import org.modeltracer.llama.Op;

/**
 * Rotary positions as a node of the graph applies them (Su 2021), with YaRN's interpolation (Peng
 * 2023).
 *
 * @param first first dimension that rotates
 * @param dimensions how many rotate
 * @param halves whether dimension i rotates with i + dimensions/2, not with its neighbour
 */
record Rotary(
    int first,
    int dimensions,
    boolean halves,
    double base,
    double frequencyScale,
    double extrapolation,
    double magnitude,
    double low,
    double high) {

  private static final int HALVES = 2;

  /** The rotation that a tensor has gone through; null when there is none that is known. */
  static @Nullable Rotary of(GraphNode tensor) {
    GraphNode node = tensor.origin();
    if (node.is(Op.ROPE)) {
      return of(node, 0);
    }
    if (!node.is(Op.CONCAT)) {
      return null;
    }
    GraphNode left = node.sources().get(0).origin();
    GraphNode right = node.sources().get(1).origin();
    return left.is(Op.ROPE)
        ? of(left, 0)
        : right.is(Op.ROPE) ? of(right, left.ne().getFirst().intValue()) : null;
  }

  private static @Nullable Rotary of(GraphNode rope, int first) {
    List<Integer> p = rope.operation().params();
    boolean plain = p.get(2) == 0 || p.get(2) == HALVES;
    if (!plain || rope.source(2) != null) {
      return null;
    }
    int dimensions = p.get(1);
    double base = real(p, 5);
    double scale = real(p, 6);
    double extrapolation = real(p, 7);
    double magnitude = real(p, 8);
    if (extrapolation != 0) {
      magnitude *= 1 + 0.1 * Math.log(1 / scale);
    }
    return new Rotary(
        first,
        dimensions,
        p.get(2) == HALVES,
        base,
        scale,
        extrapolation,
        magnitude,
        Math.max(0, Math.floor(dimension(dimensions, p.get(4), real(p, 9), base))),
        Math.min(dimensions - 1, Math.ceil(dimension(dimensions, p.get(4), real(p, 10), base))));
  }

  private static double real(List<Integer> params, int i) {
    return Float.intBitsToFloat(params.get(i));
  }

  /** The dimension that turns so many times within the original context. */
  private static double dimension(int dimensions, int context, double turns, double base) {
    return dimensions * Math.log(context / (turns * 2 * Math.PI)) / (2 * Math.log(base));
  }

  /** The same with the other pairs of dimensions. */
  Rotary otherLayout() {
    return new Rotary(
        first, dimensions, !halves, base, frequencyScale, extrapolation, magnitude, low, high);
  }

  /** Rotates a vector, in place, to a position. */
  void apply(float[] vector, int at, int position) {
    rotate(vector, at, position, 1, magnitude);
  }

  /** Takes a rotated vector back to position 0, in place. */
  void undo(float[] vector, int at, int position) {
    rotate(vector, at, position, -1, 1 / magnitude);
  }

  private void rotate(float[] vector, int at, int position, int sign, double factor) {
    int half = dimensions / 2;
    for (int i = 0; i < half; i++) {
      double angle = sign * angle(i, position);
      double cos = Math.cos(angle) * factor;
      double sin = Math.sin(angle) * factor;
      int a = at + first + (halves ? i : 2 * i);
      int b = halves ? a + half : a + 1;
      double x = vector[a];
      double y = vector[b];
      vector[a] = (float) (x * cos - y * sin);
      vector[b] = (float) (x * sin + y * cos);
    }
  }

  private double angle(int pair, int position) {
    double extrapolated = position * Math.pow(base, -2.0 * pair / dimensions);
    double interpolated = frequencyScale * extrapolated;
    if (extrapolation == 0) {
      return interpolated;
    }
    double ramp = 1 - Math.clamp((pair - low) / Math.max(0.001, high - low), 0.0, 1.0);
    double mix = ramp * extrapolation;
    return interpolated * (1 - mix) + extrapolated * mix;
  }
}
