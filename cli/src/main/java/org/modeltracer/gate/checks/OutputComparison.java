package org.modeltracer.gate.checks;

import java.util.function.BiFunction;
import java.util.function.BinaryOperator;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.gate.checks.Outputs.Difference;

/** Runs each prompt in two ways, and judges how far what the model puts out is apart. */
final class OutputComparison {
  private final CheckResultBuilder check;
  private final boolean logits;
  private Difference all = new Difference(0, true, true, 0, 0, 0, 1);

  private OutputComparison(CheckResultBuilder check, boolean logits) {
    this.check = check;
    this.logits = logits;
  }

  /**
   * The result of a check.
   *
   * @param limit largest mean relative difference that passes; 0 when every bit must be the same
   * @param second the other way to compute, given the prompt and the output of the first
   * @param same what it means that they are the same, in words
   */
  static CheckResult judge(
      CheckResultBuilder check,
      BareRuns runs,
      double limit,
      BiFunction<int[], Outputs, Outputs> second,
      String same) {
    var comparison = new OutputComparison(check, runs.generates());
    for (int[] prompt : runs.prompts()) {
      Outputs first = runs.whole(prompt);
      comparison.add(first.against(second.apply(prompt, first)));
    }
    return comparison.result(limit, same);
  }

  private void add(Difference more) {
    BinaryOperator<Double> weighed =
        (a, b) ->
            (a * all.positions() + b * more.positions())
                / Math.max(1, all.positions() + more.positions());
    all =
        new Difference(
            all.positions() + more.positions(),
            all.identical() && more.identical(),
            all.finite() && more.finite(),
            weighed.apply(all.relative(), more.relative()),
            Math.max(all.largestRelative(), more.largestRelative()),
            Math.max(all.largest(), more.largest()),
            weighed.apply(all.sameTop(), more.sameTop()));
  }

  private CheckResult result(double limit, String same) {
    if (all.positions() == 0) {
      throw new NotApplicable("no position of the prompts has an output in both runs");
    }
    check
        .signal("positions", all.positions())
        .signal("identical", all.identical())
        .signal("relative", all.relative())
        .signal("largest_relative", all.largestRelative())
        .signal("largest", all.largest())
        .signal("same_top", logits ? all.sameTop() : null)
        .signal("limit", limit);
    String what = logits ? "logits" : "last states";
    if (!all.identical() && !all.finite()) {
      throw new NotApplicable("the %s are not finite, so they cannot be compared".formatted(what));
    }
    if (!(all.identical() || all.relative() <= limit)) {
      check.fails(
          Evidence.of(
              logits ? "inconsistent_logits" : "inconsistent_embeddings",
              Severity.CRITICAL,
              "%s are not the same %s: relative difference %.3g, limit %.3g%s"
                  .formatted(
                      what,
                      same,
                      all.relative(),
                      limit,
                      logits ? ", same top token at %.1f %%".formatted(100 * all.sameTop()) : "")));
    }
    return check.result(
        all.identical()
            ? "%d positions: every bit the same %s".formatted(all.positions(), same)
            : "%d positions: relative difference %.3g %s"
                .formatted(all.positions(), all.relative(), same));
  }
}
