package org.modeltracer.sparse.patterns;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * What heads give to one kind of token, the first four positions left out.
 *
 * @param kind the kind
 * @param share of the mass
 * @param base what even attention to the keys in sight would give it
 * @param lift share over base
 * @param chance of a share this far, either way, from what the places of such tokens explain: by
 *     199 times that kinds are moved within stretches of 32 positions; none is below 0.005
 */
public record KindLift(KeyKind kind, double share, double base, double lift, double chance) {
  private static final double ROUNDING = 1e-9;

  /** Of some heads together, kinds that occur. */
  static List<KindLift> of(List<KindSums> heads) {
    double all = 0;
    double evenly = 0;
    for (KeyKind kind : KeyKind.values()) {
      if (kind != KeyKind.REPEATED) {
        all += heads.stream().mapToDouble(h -> h.mass(kind)).sum();
        evenly += heads.stream().mapToDouble(h -> h.even(kind)).sum();
      }
    }
    var lifts = new ArrayList<KindLift>();
    for (KeyKind kind : KeyKind.values()) {
      double mass = heads.stream().mapToDouble(h -> h.mass(kind)).sum();
      double even = heads.stream().mapToDouble(h -> h.even(kind)).sum();
      if (all > 0 && even > 0) {
        double share = mass / all;
        double base = even / evenly;
        lifts.add(new KindLift(kind, share, base, share / base, chance(heads, kind, mass - even)));
      }
    }
    return List.copyOf(lifts);
  }

  private static double chance(List<KindSums> heads, KeyKind kind, double beyond) {
    double[] moved = new double[KindSums.MOVES];
    for (int m = 0; m < moved.length; m++) {
      for (KindSums head : heads) {
        moved[m] += head.moved(m, kind);
      }
    }
    double usual = Arrays.stream(moved).average().orElse(0);
    // Moves that give the text back give the same sum, but for rounding.
    double apart = Math.abs(beyond - usual) - ROUNDING;
    long as = Arrays.stream(moved).filter(m -> Math.abs(m - usual) >= apart).count();
    return (as + 1.0) / (moved.length + 1);
  }
}
