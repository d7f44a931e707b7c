package org.modeltracer.sparse.patterns;

import java.util.Arrays;
import java.util.SplittableRandom;

/**
 * What a head gives to each kind of token, and would give had the kinds nothing to do with it.
 *
 * <p>The first four positions are left out: what they draw, they draw whatever they hold. For
 * chance, the kinds are turned round within stretches of 32 positions, each by a distance of its
 * own: that keeps how they cluster, and how frequent they are early and late in the text, which a
 * head that knows distances only would follow. Turns are the same for all heads, so that heads can
 * be added up.
 */
final class KindSums {
  /** Times that kinds are moved. */
  static final int MOVES = 199;

  private static final int STRETCH = 32;

  private static final KeyKind[] KINDS = KeyKind.values();

  private final int most;
  private double[] received = {};
  private double[] evenly = {};
  private int seen;
  private final double[] mass = new double[KINDS.length];
  private final double[] even = new double[KINDS.length];
  private final double[][] moved = new double[MOVES][KINDS.length];

  /** Sums of nothing, about so many positions of a text at most. */
  KindSums(int positions) {
    most = positions;
  }

  /** Adds a weight on a key, and what even attention would give it. */
  void add(int key, double weight, double evenWeight) {
    if (key >= most) {
      return;
    }
    if (key >= received.length) {
      int room = Math.min(most, Math.max(64, key + key / 2 + 1));
      received = Arrays.copyOf(received, room);
      evenly = Arrays.copyOf(evenly, room);
    }
    received[key] += weight;
    evenly[key] += evenWeight;
    seen = Math.max(seen, key + 1);
  }

  /**
   * A text has ended.
   *
   * @param tokens its tokens
   * @param text a number that no other text has
   */
  void end(KeyTokens tokens, long text) {
    int size = Math.min(seen, tokens.size());
    int[][] codes = codes(tokens, size);
    for (int[] code : codes) {
      for (int p = HeadSums.FIRST; p < size; p++) {
        if (code[p] >= 0) {
          mass[code[p]] += received[p];
          even[code[p]] += evenly[p];
        }
      }
    }
    var random = new SplittableRandom(text);
    int[] from = new int[size];
    for (int m = 0; m < MOVES; m++) {
      turn(from, random);
      for (int[] code : codes) {
        move(code, from, moved[m]);
      }
    }
    Arrays.fill(received, 0, seen, 0);
    Arrays.fill(evenly, 0, seen, 0);
    seen = 0;
  }

  /** The kind of every position, and whether it is repeated; −1 for none. */
  private static int[][] codes(KeyTokens tokens, int size) {
    int[][] codes = new int[2][size];
    for (int p = 0; p < size; p++) {
      codes[0][p] = tokens.kinds().get(p).ordinal();
      codes[1][p] = tokens.repeated().get(p) ? KeyKind.REPEATED.ordinal() : -1;
    }
    return codes;
  }

  /** For every position the one whose kind moves there. */
  private static void turn(int[] from, SplittableRandom random) {
    int start = HeadSums.FIRST;
    int end = start + 1 + random.nextInt(STRETCH);
    while (start < from.length) {
      end = Math.min(end, from.length);
      int by = random.nextInt(end - start);
      for (int p = start; p < end; p++) {
        from[p] = start + (p - start + by) % (end - start);
      }
      start = end;
      end += STRETCH;
    }
  }

  /** Adds what kinds would get beyond even attention, were they moved. */
  private void move(int[] code, int[] from, double[] beyond) {
    for (int p = HeadSums.FIRST; p < from.length; p++) {
      int kind = code[from[p]];
      if (kind >= 0) {
        beyond[kind] += received[p] - evenly[p];
      }
    }
  }

  /** Mass on a kind. */
  double mass(KeyKind kind) {
    return mass[kind.ordinal()];
  }

  /** Mass that even attention would put there. */
  double even(KeyKind kind) {
    return even[kind.ordinal()];
  }

  /** Mass beyond even attention after the m-th move. */
  double moved(int m, KeyKind kind) {
    return moved[m][kind.ordinal()];
  }
}
