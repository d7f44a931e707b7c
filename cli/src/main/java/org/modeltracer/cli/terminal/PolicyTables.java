package org.modeltracer.cli.terminal;

import java.util.Locale;
import org.modeltracer.sparse.KeyPolicy;
import org.modeltracer.sparse.PolicyReport;
import org.modeltracer.sparse.PolicyReport.HeadPolicies;
import org.modeltracer.sparse.PolicyReport.Kept;
import org.modeltracer.sparse.PolicyReport.LayerPolicy;
import org.modeltracer.sparse.PolicyReport.Verification;

/** What selections would cost a dense model, for a person. */
final class PolicyTables {
  private final PolicyReport report;
  private final Terminal terminal;

  PolicyTables(PolicyReport report, Terminal terminal) {
    this.report = report;
    this.terminal = terminal;
  }

  void print() {
    terminal.println("");
    terminal.println(
        "Attention mass kept, mean of all heads; heads that keep %s of it"
            .formatted(percent(report.target())));
    var header = new StringBuilder("%-16s".formatted("keys kept"));
    report.budgets().forEach(budget -> header.append("%14d".formatted(budget)));
    terminal.println(terminal.styled("bold", header.toString()));
    for (KeyPolicy policy : KeyPolicy.values()) {
      var line = new StringBuilder("%-16s".formatted(name(policy)));
      report.budgets().forEach(budget -> line.append("%14s".formatted(cell(policy, budget))));
      terminal.println(line.toString());
    }
    terminal.println("");
    report.layers().forEach(this::layer);
    Verification verification = report.verification();
    if (verification != null) {
      terminal.println(
          "Verified on %d positions: recall %.3f was predicted; KL %.2g nats, %.2g at most; %s keep"
                  .formatted(
                      verification.positions(),
                      verification.predictedRecall(),
                      verification.klMean(),
                      verification.klMax(),
                      percent(verification.sameTop1()))
              + " their most likely token");
    }
  }

  private String cell(KeyPolicy policy, int budget) {
    double mass = 0;
    int tolerant = 0;
    int all = 0;
    for (HeadPolicies head : report.heads()) {
      Kept kept = head.kept(policy, budget);
      if (kept != null) {
        mass += kept.mass();
        tolerant += kept.mass() >= report.target() ? 1 : 0;
        all++;
      }
    }
    return all == 0 ? "–" : "%.3f %3d/%d".formatted(mass / all, tolerant, all);
  }

  private void layer(LayerPolicy layer) {
    KeyPolicy policy = layer.policy();
    terminal.println(
        policy == null
            ? "layer %d: dense".formatted(layer.layer())
            : "layer %d: %s of %d keys, recall %.3f, %s of the keys saved"
                .formatted(
                    layer.layer(),
                    name(policy),
                    layer.budget(),
                    layer.predictedRecall(),
                    percent(layer.saved())));
  }

  /** A constant's name in words. */
  static String name(Enum<?> constant) {
    return constant.name().toLowerCase(Locale.ROOT).replace('_', ' ');
  }

  static String percent(double share) {
    return Math.round(100 * share) + " %";
  }
}
