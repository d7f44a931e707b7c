package org.modeltracer.sparse.patterns;

import org.jspecify.annotations.Nullable;
import org.modeltracer.sparse.patterns.Savings.Selection;

/** Adds up what heads and the groups that share their keys save; all in means over queries. */
final class SavingsSum {
  private final double mass;
  private final Selection selection;
  private double keys;
  private double kept;
  private double flops;
  private double flopsKept;
  private double bytes;
  private double bytesKept;
  private boolean flopsKnown = true;
  private boolean bytesKnown = true;

  SavingsSum(double mass, Selection selection) {
    this.mass = mass;
    this.selection = selection;
  }

  /** Adds a query head that sees so many keys and keeps some. */
  void head(double seen, double keeps, KeyCosts.@Nullable Layer cost) {
    // Where costs are not known all keys cost the same.
    double each = cost == null ? 1 : cost.flops();
    flopsKnown &= cost != null;
    keys += seen;
    kept += keeps;
    flops += each * seen;
    flopsKept += each * keeps;
  }

  /** Adds a group of query heads with the same keys, some of which one of them keeps at least. */
  void group(double seen, double keeps, KeyCosts.@Nullable Layer cost) {
    double cached = cost == null ? 0 : cost.cachedBytes();
    double each = cached > 0 ? cached : 1;
    bytesKnown &= cached > 0;
    bytes += each * seen;
    bytesKept += each * keeps;
  }

  Savings savings() {
    return new Savings(
        mass,
        selection,
        share(kept, keys),
        flopsKnown ? flops - flopsKept : null,
        1 - share(flopsKept, flops),
        bytesKnown ? bytes - bytesKept : null,
        1 - share(bytesKept, bytes));
  }

  private static double share(double part, double all) {
    return all == 0 ? 1 : part / all;
  }
}
