package org.modeltracer.sparse.patterns;

import org.jspecify.annotations.Nullable;
import org.modeltracer.attention.report.Chance;
import org.modeltracer.attention.report.Significance;

/** The scores of a head, from its sums. */
final class HeadShape {
  static final int LOCAL = 16;
  private static final int LONGEST_PERIOD = 256;
  private static final int FEWEST_TEETH = 4;
  private static final int FEWEST_BLOCKS = 5;

  /** Scores within this factor are as good: a grid twice as wide, or half a period, fits too. */
  private static final double ALIKE = 0.95;

  private final HeadSums sums;

  private HeadShape(HeadSums sums) {
    this.sums = sums;
  }

  static PatternScores of(HeadSums sums) {
    return new HeadShape(sums).scores();
  }

  private record Found(double score, int at) {}

  private record Block(double score, int size, double chance) {}

  private PatternScores scores() {
    boolean shaped = sums.rest > HeadSums.NOTHING * sums.rows;
    Found diagonal = shaped ? diagonal() : new Found(0, 0);
    Found strided = shaped ? strided() : new Found(0, 0);
    Block block = shaped && sums.causal() ? block() : null;
    return new PatternScores(
        Chance.excess(sums.first / sums.rows, sums.firstEven / sums.rows),
        diagonal.score,
        diagonal.at,
        strided.score,
        strided.at,
        block == null ? null : block.score,
        block == null ? 0 : block.size,
        block == null ? null : block.chance,
        shaped ? local() : 0,
        shaped ? sums.spread / sums.rest : 0,
        sums.distanceEven > 0 ? sums.distance / sums.distanceEven : 0);
  }

  private double local() {
    double mass = 0;
    double even = 0;
    for (DistanceSums side : new DistanceSums[] {sums.back, sums.ahead}) {
      for (int d = 0; d < Math.min(LOCAL, side.size()); d++) {
        mass += side.rest[d];
        even += side.even[d];
      }
    }
    return Chance.excess(mass / sums.rest, even / sums.rest);
  }

  private Found diagonal() {
    int offset = 0;
    double most = -1;
    double even = 0;
    for (int sign : new int[] {1, -1}) {
      DistanceSums side = sign > 0 ? sums.back : sums.ahead;
      for (int d = 0; d < side.size(); d++) {
        double reach = side.reach[d];
        if (reach >= sums.rest / 2 && side.rest[d] / reach > most) {
          most = side.rest[d] / reach;
          even = side.even[d] / reach;
          offset = sign * d;
        }
      }
    }
    return new Found(Chance.excess(most, even), offset);
  }

  /** The longest period among those that hold most. */
  private Found strided() {
    int reach = 0;
    while (reach < sums.back.size() && sums.back.reach[reach] >= sums.rest / 2) {
      reach++;
    }
    int longest = Math.min(LONGEST_PERIOD, reach / FEWEST_TEETH);
    var best = new Found(0, 0);
    double top = 0;
    for (int period = 2; period <= longest; period++) {
      double score = 0;
      for (int phase = 0; phase < period; phase++) {
        score = Math.max(score, comb(period, phase));
      }
      if (score > 0 && score >= ALIKE * top) {
        best = new Found(score, period);
      }
      top = Math.max(top, score);
    }
    return best;
  }

  private double comb(int period, int phase) {
    double mass = 0;
    double even = 0;
    double largest = 0;
    for (int d = phase; d < sums.back.size(); d += period) {
      mass += sums.back.rest[d];
      even += sums.back.even[d];
      largest = Math.max(largest, sums.back.rest[d]);
    }
    return largest > mass / 2 ? 0 : Chance.excess(mass / sums.rest, even / sums.rest);
  }

  /** The smallest block among those that hold most. */
  private @Nullable Block block() {
    Block best = null;
    for (int b = 0; b < BlockSums.SIZES.length; b++) {
      if (sums.blocks.blocks(b) >= FEWEST_BLOCKS) {
        Block found = block(b);
        if (best == null || ALIKE * found.score > best.score) {
          best = found;
        }
      }
    }
    return best;
  }

  private Block block(int b) {
    int size = BlockSums.SIZES[b];
    double within = 0;
    double explained = 0;
    for (int d = 0; d < size; d++) {
      within += d < sums.back.size() ? sums.back.rest[d] / sums.rest : 0;
      explained += within / size;
    }
    var share = sums.blocks.share(b);
    return new Block(
        Chance.excess(share.mean(), explained),
        size,
        Significance.meanAbove(share, Math.min(1, explained)));
  }
}
