package org.modeltracer.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;
import org.modeltracer.lens.LayerReading;
import org.modeltracer.lens.PositionReading;
import org.modeltracer.lens.TokenEvolution;
import org.modeltracer.lens.TokenScore;
import picocli.CommandLine.Help.Ansi;

/** Layers × positions, in blocks as wide as the terminal; colours follow probability. */
final class LensTable {
  private static final int LABEL = 9;
  private static final int TOKEN = 9;
  private static final int CELL = TOKEN + 9;

  /** A cell: its text, already as wide as it is to be, and a style. */
  private record Cell(String text, String style) {}

  private final Terminal terminal;
  private final IntFunction<String> texts;

  LensTable(Terminal terminal, IntFunction<String> texts) {
    this.terminal = terminal;
    this.texts = texts;
  }

  /** One position: the most likely tokens of every layer, side by side. */
  void one(PositionReading reading) {
    terminal.println(
        "After position %d, %s:".formatted(reading.position(), quoted(reading.text())));
    terminal.println(
        terminal.styled("@|bold %9s %7s %6s   most likely|@".formatted("layer", "KL", "rank")));
    int fit = Math.max(1, (terminal.width() - LABEL - 18) / CELL);
    for (LayerReading layer : reading.layers()) {
      var line =
          new StringBuilder(
              "%9s %7s %6s   "
                  .formatted(
                      name(layer.layer()), number(layer.klToFinal()), rank(layer.rankOfFinal())));
      for (TokenScore score : layer.top().subList(0, Math.min(fit, layer.top().size()))) {
        line.append(styled(cell(score)));
      }
      terminal.println(line.toString().stripTrailing());
    }
    terminal.println(
        terminal.styled(
            "@|faint KL: nats from the final distribution; rank: of the token most likely in the"
                + " end|@"));
    terminal.println(decision(reading));
  }

  private String decision(PositionReading reading) {
    if (reading.decisiveLayer() == null) {
      return "The last state is not finite: nothing is decided.";
    }
    TokenScore last = reading.layers().getLast().top().getFirst();
    String chosen =
        reading.next() == null || reading.next() == last.id()
            ? ""
            : "; what came next is " + quoted(texts.apply(reading.next()));
    return "%s stays first from %s on%s."
        .formatted(
            quoted(last.token()),
            reading.decisiveLayer() < 0 ? "the embedding" : "layer " + reading.decisiveLayer(),
            chosen);
  }

  /** Many positions: the most likely token of each at every layer. */
  void many(List<PositionReading> readings) {
    blocks(
        readings,
        layer -> layer.top().isEmpty() ? blank("not finite") : cell(layer.top().getFirst()));
  }

  /** One token's probability and rank at every layer. */
  void tracked(List<PositionReading> readings, int token) {
    terminal.println("");
    terminal.println(terminal.styled("bold", quoted(texts.apply(token)) + ", token " + token));
    var layers = new ArrayList<LayerReading>();
    readings.forEach(r -> layers.addAll(r.layers()));
    each(
        readings,
        (reading, i) -> {
          TokenEvolution evolution =
              reading.tracked().stream().filter(t -> t.id() == token).findFirst().orElse(null);
          Double p = evolution == null ? null : evolution.probabilities().get(i);
          Integer rank = evolution == null ? null : evolution.ranks().get(i);
          return p == null
              ? blank("not finite")
              : new Cell("%6s %-11s".formatted(percent(p), rank(rank)), style(p));
        });
  }

  private void blocks(List<PositionReading> readings, Function<LayerReading, Cell> cell) {
    each(readings, (reading, i) -> cell.apply(reading.layers().get(i)));
  }

  private interface Cells {
    Cell of(PositionReading reading, int row);
  }

  private void each(List<PositionReading> readings, Cells cells) {
    int fit = Math.max(1, (terminal.width() - LABEL - 1) / CELL);
    for (int from = 0; from < readings.size(); from += fit) {
      List<PositionReading> part = readings.subList(from, Math.min(readings.size(), from + fit));
      if (from > 0) {
        terminal.println("");
      }
      row("position", part, r -> new Cell(wide(String.valueOf(r.position()), CELL), "bold"));
      row("token", part, r -> new Cell(wide(shown(r.text()), CELL), "bold"));
      for (int i = 0; i < part.getFirst().layers().size(); i++) {
        int at = i;
        row(name(part.getFirst().layers().get(i).layer()), part, r -> cells.of(r, at));
      }
      row("decided", part, r -> blank(r.decisiveLayer() == null ? "" : name(r.decisiveLayer())));
      row("next", part, r -> blank(r.next() == null ? "" : shown(texts.apply(r.next()))));
    }
  }

  private void row(
      String label, List<PositionReading> part, Function<PositionReading, Cell> cells) {
    var line = new StringBuilder("%9s ".formatted(label));
    part.forEach(reading -> line.append(styled(cells.apply(reading))));
    terminal.println(line.toString().stripTrailing());
  }

  private String styled(Cell cell) {
    return terminal.styled(cell.style(), cell.text());
  }

  private static Cell cell(TokenScore score) {
    String text = wide(shown(score.token()), TOKEN);
    return new Cell(
        "%s %6s  ".formatted(text, percent(score.probability())), style(score.probability()));
  }

  private static Cell blank(String text) {
    return new Cell(wide(text, CELL), "faint");
  }

  private static String style(double probability) {
    return probability >= 0.5
        ? "bold,fg(green)"
        : probability >= 0.2 ? "fg(green)" : probability >= 0.05 ? "fg(yellow)" : "faint";
  }

  private static String name(int layer) {
    return layer < 0 ? "embedding" : String.valueOf(layer);
  }

  private static String percent(double share) {
    return share >= 0.0995 ? "%.0f %%".formatted(100 * share) : "%.1f %%".formatted(100 * share);
  }

  private static String number(@Nullable Double value) {
    return value == null ? "" : "%.3f".formatted(value);
  }

  private static String rank(@Nullable Integer rank) {
    return rank == null ? "" : "#" + (rank + 1);
  }

  private static String quoted(String text) {
    return "'" + shown(text) + "'";
  }

  /** A token with nothing in it that would move the cursor or be overlooked. */
  private static String shown(String token) {
    var text = new StringBuilder();
    token
        .codePoints()
        .forEach(
            c -> {
              switch (c) {
                case ' ' -> text.append('␣');
                case '\n' -> text.append("\\n");
                case '\r' -> text.append("\\r");
                case '\t' -> text.append("\\t");
                default -> text.appendCodePoint(Character.isISOControl(c) ? 0xFFFD : c);
              }
            });
    return text.toString();
  }

  /** A text cut or filled to a number of columns, of which some characters take two. */
  private static String wide(String text, int columns) {
    String kept = text;
    while (columns(kept) > columns) {
      kept =
          kept.substring(0, kept.offsetByCodePoints(kept.length(), kept.endsWith("…") ? -2 : -1));
      kept = kept + "…";
    }
    return kept + " ".repeat(columns - columns(kept));
  }

  private static int columns(String text) {
    return Ansi.OFF.apply(text, List.of()).getCJKAdjustedLength();
  }
}
