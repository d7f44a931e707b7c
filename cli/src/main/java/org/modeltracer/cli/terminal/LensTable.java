package org.modeltracer.cli.terminal;

import java.util.List;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.ObjIntConsumer;
import org.jspecify.annotations.Nullable;
import org.modeltracer.lens.LayerReading;
import org.modeltracer.lens.PositionReading;
import org.modeltracer.lens.TokenEvolution;
import org.modeltracer.lens.TokenScore;
import picocli.CommandLine.Help.Ansi;
import picocli.CommandLine.Help.ColorScheme;

/** Layers × positions, in blocks as wide as the terminal; colours follow probability. */
public final class LensTable {
  private static final int LABEL = 11;
  private static final int TOKEN = 9;
  private static final int CELL = TOKEN + 9;
  private static final ColorScheme PLAIN = new ColorScheme.Builder(Ansi.OFF).build();
  private static final String NUMBERS = "%10s %7s %6s  ";
  private static final String NOT_FINITE = "not finite";

  /** A cell: its text, already as wide as it is to be, and a style. */
  private record Cell(String text, String style) {}

  private final Terminal terminal;
  private final TokenTexts texts;
  private final int width;

  public LensTable(Terminal terminal, TokenTexts texts) {
    this.terminal = terminal;
    this.texts = texts;
    width = terminal.width();
  }

  /** One position: the most likely tokens of every layer, side by side. */
  public void one(PositionReading reading) {
    terminal.println(
        "After position %d, %s:".formatted(reading.position(), quoted(reading.token())));
    terminal.println(
        terminal.styled("bold", NUMBERS.formatted("layer", "KL", "rank") + "most likely"));
    int fit = Math.max(1, (width - NUMBERS.formatted("", "", "").length()) / CELL);
    for (LayerReading layer : reading.layers()) {
      String label =
          NUMBERS.formatted(
              name(layer.layer()), number(layer.klToFinal()), rank(layer.rankOfFinal()));
      List<TokenScore> top = layer.top();
      for (int from = 0; from == 0 || from < top.size(); from += fit) {
        var line = new StringBuilder(from == 0 ? label : " ".repeat(label.length()));
        line.append(top.isEmpty() ? styled(blank(NOT_FINITE)) : "");
        top.subList(from, Math.min(from + fit, top.size()))
            .forEach(score -> line.append(styled(cell(score))));
        terminal.println(line.toString().stripTrailing());
      }
    }
    terminal.println(
        terminal.styled(
            "faint",
            "KL: nats from the final distribution; rank: of the token most likely in the end"));
    terminal.println(decision(reading));
    terminal.println("");
  }

  private String decision(PositionReading reading) {
    if (reading.decisiveLayer() == null) {
      return "The last state is not finite: nothing is decided.";
    }
    TokenScore last = reading.layers().getLast().top().getFirst();
    String chosen =
        reading.next() == null || reading.next() == last.id()
            ? ""
            : "; what came next is " + quoted(reading.next());
    return "%s stays first from %s on%s."
        .formatted(
            quoted(last.id()),
            reading.decisiveLayer() < 0 ? "the embedding" : "layer " + reading.decisiveLayer(),
            chosen);
  }

  /** Many positions: the most likely token of each at every layer. */
  public void many(List<PositionReading> readings) {
    blocks(
        readings,
        part -> {
          row("position", part, r -> heading(String.valueOf(r.position())));
          row("token", part, r -> heading(texts.text(r.token())));
          layers(part.getFirst(), (layer, i) -> row(layer, part, r -> cell(r.layers().get(i))));
          row("decided at", part, r -> blank(decided(r)));
          row("next", part, r -> blank(r.next() == null ? "" : texts.text(r.next())));
        });
  }

  private static String decided(PositionReading reading) {
    return reading.decisiveLayer() == null ? "" : name(reading.decisiveLayer());
  }

  private Cell cell(LayerReading layer) {
    return layer.top().isEmpty() ? blank(NOT_FINITE) : cell(layer.top().getFirst());
  }

  /** Probability and rank of some tokens at every layer, where they were tracked. */
  public void tracked(List<PositionReading> readings, List<Integer> tokens) {
    if (readings.size() == 1) {
      PositionReading reading = readings.getFirst();
      blocks(
          tokens,
          part -> {
            row("token", part, token -> heading(texts.text(token)));
            layers(reading, (layer, i) -> row(layer, part, token -> cell(reading, token, i)));
          });
      return;
    }
    for (int token : tokens) {
      terminal.println(terminal.styled("bold", quoted(token) + ", token " + token));
      blocks(
          readings,
          part -> {
            row("position", part, r -> heading(String.valueOf(r.position())));
            layers(part.getFirst(), (layer, i) -> row(layer, part, r -> cell(r, token, i)));
          });
    }
  }

  private static Cell cell(PositionReading reading, int token, int row) {
    TokenEvolution found =
        reading.tracked().stream().filter(t -> t.id() == token).findFirst().orElseThrow();
    Double p = found.probabilities().get(row);
    String text =
        p == null ? NOT_FINITE : "%6s %s".formatted(percent(p), rank(found.ranks().get(row)));
    return new Cell(wide(text, CELL), p == null ? "faint" : style(p));
  }

  private static Cell heading(String text) {
    return new Cell(wide(text, CELL), "bold");
  }

  private static void layers(PositionReading like, ObjIntConsumer<String> row) {
    for (int i = 0; i < like.layers().size(); i++) {
      row.accept(name(like.layers().get(i).layer()), i);
    }
  }

  private <T> void blocks(List<T> columns, Consumer<List<T>> block) {
    int fit = Math.max(1, (width - LABEL - 1) / CELL);
    for (int from = 0; from < columns.size(); from += fit) {
      block.accept(columns.subList(from, Math.min(columns.size(), from + fit)));
      terminal.println("");
    }
  }

  private <T> void row(String label, List<T> columns, Function<T, Cell> cells) {
    var line = new StringBuilder("%10s ".formatted(label));
    columns.forEach(column -> line.append(styled(cells.apply(column))));
    terminal.println(line.toString().stripTrailing());
  }

  private String styled(Cell cell) {
    return terminal.styled(cell.style(), cell.text());
  }

  private Cell cell(TokenScore score) {
    return new Cell(
        "%s %6s  ".formatted(wide(texts.text(score.id()), TOKEN), percent(score.probability())),
        style(score.probability()));
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

  private String quoted(int token) {
    return "'" + texts.text(token) + "'";
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
    return PLAIN.apply(text, List.of()).getCJKAdjustedLength();
  }
}
