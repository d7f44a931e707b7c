package org.modeltracer.cli.terminal;

import java.util.Locale;
import org.modeltracer.language.LogitDivergence;

/** Says how far predictions are from a reference's. */
public final class DivergenceLines {
  private DivergenceLines() {}

  /** Prints the divergence, the share of equal top tokens, and both perplexities. */
  public static void print(LogitDivergence l, Terminal terminal) {
    if (l.notFinite() > 0) {
      terminal.println(
          "logits          not finite at %d of %d positions"
              .formatted(l.notFinite(), l.notFinite() + l.positions()));
    }
    if (l.positions() == 0) {
      return;
    }
    terminal.println(
        "KL divergence   mean %s ± %s   median %s   90 %% %s   99 %% %s   max %s"
            .formatted(
                number(l.klMean()),
                number(l.klMeanError()),
                number(l.klMedian()),
                number(l.klP90()),
                number(l.klP99()),
                number(l.klMax())));
    terminal.println(
        "same top token  %.2f %%, %d of %d positions flip"
            .formatted(100 * l.sameTop1(), l.flips(), l.positions()));
    terminal.println(
        "perplexity      %.4f against %.4f (%+.4f)"
            .formatted(l.perplexity(), l.perplexityReference(), l.perplexityDifference()));
  }

  /** A number of any size in a few characters. */
  public static String number(double value) {
    return Double.isNaN(value)
        ? "-"
        : String.format(Locale.ROOT, value == 0 ? "%.0f" : value < 1e-3 ? "%.1e" : "%.4f", value);
  }
}
