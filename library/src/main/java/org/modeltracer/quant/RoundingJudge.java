package org.modeltracer.quant;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.modeltracer.probe.NodeValues;

/**
 * Judges each node by what its arithmetic explains; both sides must go on from the same values at
 * every node.
 */
final class RoundingJudge implements Lockstep.Comparator {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  /**
   * Expected errors tolerated, of a long row; a short one is less sure to be near what is expected.
   */
  private static final double MARGIN = 4;

  private static final double SHORT = 8;

  /** A node of a batch. */
  private record Moment(int pair, int position) {}

  private final NodeArithmetic arithmetic;
  private final Map<Moment, Explained> expected = new HashMap<>();
  private final BitSet judged = new BitSet();
  private final KeyChoice choice = new KeyChoice();
  private long windowStart;
  private long exact;
  private double referenceError;
  private double largest;
  private @Nullable Unexplained first;
  private long firstBatch;
  private int firstPair;

  RoundingJudge(NodeArithmetic arithmetic) {
    this.arithmetic = arithmetic;
  }

  /** A window of the text begins, so many tokens into it. */
  void begin(long start) {
    windowStart = start;
    expected.clear();
  }

  @Override
  public void computed(NodePair pair, NodeValues values) {
    if (values.rows() > 0 && values.width() > 0) {
      expected.put(new Moment(pair.index(), values.firstPosition()), arithmetic.of(values));
    }
  }

  @Override
  public void compare(
      NodePair pair, int position, int rows, int width, MemorySegment a, MemorySegment b) {
    Explained explained = expected.remove(new Moment(pair.index(), position));
    if (explained == null) {
      return;
    }
    judged.set(pair.index());
    choice.scored(pair, position, rows, width, a);
    int perToken = pair.rowsPerToken(position, rows, width);
    double margin = MARGIN + SHORT / Math.sqrt(width);
    Unexplained.Side side = side(explained, width, a, margin);
    if (side == Unexplained.Side.REFERENCE) {
      int row = explained.sample().getFirst().row();
      found(
          pair, position, row, row / perToken, width, a, b, margin * explained.error()[row], side);
      return;
    }
    for (int row = 0; row < rows; row++) {
      if (choice.free(pair, position, row / perToken, row, width, a, b)) {
        continue;
      }
      double tolerated = margin * explained.error()[row];
      double error = error(a, b, row, width);
      if (error > 0) {
        largest = Math.max(largest, error / tolerated);
      }
      if (error > tolerated) {
        found(pair, position, row, row / perToken, width, a, b, tolerated, side);
        return;
      }
    }
  }

  /** Whose numbers are wrong if they differ, by what the reference's should be. */
  private Unexplained.Side side(Explained explained, int width, MemorySegment a, double margin) {
    if (explained.sample().isEmpty()) {
      return Unexplained.Side.UNKNOWN;
    }
    double squares = 0;
    for (Explained.Exact number : explained.sample()) {
      double own = a.get(FLOAT, 4L * ((long) number.row() * width + number.column()));
      squares += (own - number.value()) * (own - number.value());
    }
    int n = explained.sample().size();
    exact += n;
    double one = explained.error()[explained.sample().getFirst().row()] / Math.sqrt(width);
    double share = Math.sqrt(squares / n) / one;
    if (squares > 0) {
      referenceError = Math.max(referenceError, share);
    }
    return squares > 0 && !(share <= margin + SHORT)
        ? Unexplained.Side.REFERENCE
        : Unexplained.Side.MODEL;
  }

  private void found(
      NodePair pair,
      int position,
      int row,
      int token,
      int width,
      MemorySegment a,
      MemorySegment b,
      double tolerated,
      Unexplained.Side side) {
    long begun = windowStart + position;
    if (first != null && (begun > firstBatch || begun == firstBatch && pair.index() >= firstPair)) {
      return;
    }
    firstBatch = begun;
    firstPair = pair.index();
    double norm = norm(a, row, width);
    first =
        new Unexplained(
            pair.reference().place(),
            pair.reference().tensor(),
            pair.reference().op(),
            pair.other().tensor(),
            begun + token,
            error(a, b, row, width) / norm,
            tolerated / norm,
            side);
  }

  /** ‖a − b‖ of a row; infinite where one alone is not finite, but NaN in {@code a} is unknown. */
  private static double error(MemorySegment a, MemorySegment b, int row, int width) {
    double squares = 0;
    long offset = 4L * row * width;
    for (int i = 0; i < width; i++) {
      float x = a.get(FLOAT, offset + 4L * i);
      float y = b.get(FLOAT, offset + 4L * i);
      if (x != y && !(Float.isNaN(x) && Float.isNaN(y))) {
        double error = (double) x - y;
        squares += Double.isNaN(error) ? Double.POSITIVE_INFINITY : error * error;
      }
    }
    return Math.sqrt(squares);
  }

  private static double norm(MemorySegment a, int row, int width) {
    double squares = 0;
    long offset = 4L * row * width;
    for (int i = 0; i < width; i++) {
      double x = a.get(FLOAT, offset + 4L * i);
      squares += Double.isFinite(x) ? x * x : 0;
    }
    return Math.sqrt(squares);
  }

  /** What was found so far. */
  Rounding result() {
    return new Rounding(judged.cardinality(), exact, referenceError, largest, first);
  }
}
