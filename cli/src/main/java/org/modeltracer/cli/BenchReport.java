package org.modeltracer.cli;

import java.util.List;
import org.jspecify.annotations.Nullable;
import org.modeltracer.cli.terminal.Terminal;

/** What a measurement of modes found, for a terminal: a table, and a picture of it. */
final class BenchReport {
  /** Characters of a bar as long as the untraced time. */
  private static final int BAR = 24;

  /** Times beyond which a bar is cut. */
  private static final double LONGEST = 3;

  private BenchReport() {}

  static void print(String heading, List<Contest.Result> modes, Terminal terminal) {
    terminal.println(terminal.styled("bold", heading));
    terminal.println(
        "%-12s %10s %10s   %-22s %-22s %8s %10s %10s"
            .formatted(
                "median",
                "prompt t/s",
                "gen. t/s",
                "prompt time (95 %)",
                "generation time (95 %)",
                "nodes/t",
                "bytes/t",
                "Java B/t"));
    for (Contest.Result r : modes) {
      terminal.println(
          "%-12s %10.0f %10.1f   %-22s %-22s %8.0f %10.0f %10.0f"
              .formatted(
                  r.mode(),
                  r.promptTokensPerSecond().median(),
                  r.generationTokensPerSecond().median(),
                  r.promptTimeRatio().text(),
                  r.generationTimeRatio().text(),
                  r.observedNodesPerToken().median(),
                  r.observedBytesPerToken().median(),
                  r.allocatedBytesPerToken().median()));
    }
    terminal.println(
        terminal.styled(
            "@|faint idle: hook armed, nothing observed; times are relative to untraced in the same"
                + " piece; nodes and bytes observed and bytes allocated by Java are per generated"
                + " token|@"));
    chart("prompt", modes, terminal);
    chart("generation", modes, terminal);
  }

  private static void chart(String what, List<Contest.Result> modes, Terminal terminal) {
    String label = what;
    for (Contest.Result r : modes) {
      double time =
          (what.equals("prompt") ? r.promptTimeRatio() : r.generationTimeRatio()).median();
      terminal.println("%-12s %-12s %s %.2f".formatted(label, r.mode(), bar(time), time));
      label = "";
    }
  }

  /** As long as a time is, in eighths of a character. */
  private static String bar(double time) {
    long eighths = Math.round(8 * BAR * Math.min(LONGEST, time));
    String part = eighths % 8 == 0 ? "" : String.valueOf((char) ('\u2590' - eighths % 8));
    return "█".repeat((int) (eighths / 8)) + part + (time > LONGEST ? "…" : "");
  }

  static void print(List<CostGrowth> growth, Terminal terminal) {
    terminal.println(
        terminal.styled("bold", "growth of what a token costs more, as a power of")
            + "  (models of 4 to 16 layers and heads, 256 to 1,024 tokens)");
    terminal.println("%-12s %24s   %24s".formatted("", "prompt", "generation"));
    terminal.println(
        "%-12s %8s %7s %7s   %8s %7s %7s"
            .formatted("", "layers", "heads", "context", "layers", "heads", "context"));
    for (CostGrowth g : growth) {
      terminal.println(
          "%-12s %8s %7s %7s   %8s %7s %7s"
              .formatted(
                  g.mode(),
                  power(g.prompt().layers()),
                  power(g.prompt().heads()),
                  power(g.prompt().context()),
                  power(g.generation().layers()),
                  power(g.generation().heads()),
                  power(g.generation().context())));
    }
  }

  private static String power(@Nullable Double exponent) {
    return exponent == null ? "–" : "%.1f".formatted(exponent);
  }
}
