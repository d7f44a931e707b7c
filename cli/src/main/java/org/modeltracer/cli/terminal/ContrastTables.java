package org.modeltracer.cli.terminal;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.function.IntFunction;
import java.util.stream.DoubleStream;
import org.jspecify.annotations.Nullable;
import org.modeltracer.sparse.HeadContrast;
import org.modeltracer.sparse.IndexedLayer;
import org.modeltracer.sparse.LengthReport;
import org.modeltracer.sparse.MarkedQuery;
import org.modeltracer.sparse.SparseReport;

/** Sparse attention beside attention over all keys, for a person. */
public final class ContrastTables {
  private static final int SHOWN = 8;
  private static final int TOKENS = 400;

  private final SparseReport report;
  private final Terminal terminal;

  /** Tables of a report. */
  public ContrastTables(SparseReport report, Terminal terminal) {
    this.report = report;
    this.terminal = terminal;
  }

  /**
   * Prints everything.
   *
   * @param word text of a token of the last prompt, by its position
   */
  public void print(IntFunction<String> word) {
    if (report.indexer() != null) {
      heads(report.indexer().layers());
      marked(report.indexer().layers(), word);
    }
    if (!report.lengths().isEmpty()) {
      lengths();
      changes();
    }
  }

  private void heads(List<IndexedLayer> layers) {
    record Row(int layer, HeadContrast head) {}
    var rows = new ArrayList<Row>();
    layers.forEach(l -> l.contrasts().forEach(head -> rows.add(new Row(l.layer(), head))));
    rows.removeIf(row -> row.head().moved() == null);
    if (rows.isEmpty()) {
      return;
    }
    rows.sort(Comparator.comparingDouble(row -> -Objects.requireNonNull(row.head().moved())));
    terminal.println("");
    terminal.println(
        terminal.styled(
            "bold",
            "layer  head  recall  entropy all ‥ selected  sink all ‥ selected  moved to other"
                + " distances"));
    for (Row row : rows.subList(0, Math.min(SHOWN, rows.size()))) {
      HeadContrast head = row.head();
      terminal.println(
          "%5d%6d%8s%13s ‥ %8s%10s ‥ %8s%11s"
              .formatted(
                  row.layer(),
                  head.head(),
                  number(head.recall()),
                  number(head.entropy()),
                  number(head.entropySelected()),
                  number(head.sink()),
                  number(head.sinkSelected()),
                  number(head.moved())));
    }
    if (rows.size() > SHOWN) {
      terminal.println("  … and %d heads that it moves less".formatted(rows.size() - SHOWN));
    }
  }

  /** The end of the last prompt, with marks at what its last query sees. */
  private void marked(List<IndexedLayer> layers, IntFunction<String> word) {
    Map<Integer, Integer> votes = new HashMap<>();
    Set<Integer> missed = new HashSet<>();
    int count = 0;
    int query = 0;
    for (IndexedLayer layer : layers) {
      MarkedQuery last = layer.marked();
      if (last == null || layer.compressed()) {
        continue;
      }
      count++;
      query = last.query();
      for (int position : last.selected()) {
        votes.merge(position, 1, Integer::sum);
      }
      last.missed().stream().limit(1).forEach(key -> missed.add(key.position()));
    }
    if (count == 0) {
      return;
    }
    terminal.println("");
    terminal.println(
        "What the query at position %d sees: %s in half of %d layers or more, %s of the others the heaviest of a layer"
            .formatted(query, terminal.styled("bold,underline", "[selected]"), count, "{missed}"));
    var text = new StringBuilder();
    for (int p = Math.max(0, query + 1 - TOKENS); p <= query; p++) {
      String token = word.apply(p).replace('\n', ' ');
      text.append(
          2 * votes.getOrDefault(p, 0) >= count
              ? terminal.styled("bold,underline", "[" + token + "]")
              : missed.contains(p) ? terminal.styled("red", "{" + token + "}") : token);
    }
    terminal.println(text.toString());
  }

  private void lengths() {
    terminal.println("");
    terminal.println(
        terminal.styled(
            "bold",
            "length  prompts  queries  recall    best  overlap  entropy all ‥ selected  moved "
                + " changed since"));
    for (LengthReport length : report.lengths()) {
      List<LengthReport.Head> heads =
          length.layers().stream().flatMap(l -> l.heads().stream()).toList();
      terminal.println(
          "%6d%9d%9d%s%s%s%13s ‥ %8s%7s%15s"
              .formatted(
                  length.length(),
                  length.prompts(),
                  length.layers().stream().mapToLong(LengthReport.Layer::queries).max().orElse(0),
                  mean(length.layers().stream().mapToDouble(l -> known(l.recall())), 8),
                  mean(length.layers().stream().mapToDouble(l -> known(l.best())), 8),
                  mean(length.layers().stream().mapToDouble(l -> known(l.overlap())), 9),
                  mean(length.layers().stream().mapToDouble(l -> known(l.entropy())), 0),
                  mean(length.layers().stream().mapToDouble(l -> known(l.entropySelected())), 0),
                  mean(heads.stream().mapToDouble(h -> known(h.attention().moved())), 0),
                  mean(heads.stream().mapToDouble(h -> known(h.changed())), 0)));
    }
  }

  /** Heads whose attention changes most with the length. */
  private void changes() {
    record Change(int layer, int head, int length, double changed) {}
    var all = new ArrayList<Change>();
    for (LengthReport length : report.lengths()) {
      for (LengthReport.Layer layer : length.layers()) {
        for (LengthReport.Head head : layer.heads()) {
          Double changed = head.changed();
          if (changed != null) {
            all.add(new Change(layer.layer(), head.attention().head(), length.length(), changed));
          }
        }
      }
    }
    all.sort(Comparator.comparingDouble(change -> -change.changed()));
    for (Change change : all.subList(0, Math.min(SHOWN, all.size()))) {
      terminal.println(
          "layer %d head %d: %.2f of its attention lies at other distances at %d tokens than at the length before"
              .formatted(change.layer(), change.head(), change.changed(), change.length()));
    }
  }

  private static double known(@Nullable Double number) {
    return number == null ? Double.NaN : number;
  }

  /** Mean of those that are known. */
  private static String mean(DoubleStream numbers, int width) {
    OptionalDouble mean = numbers.filter(number -> !Double.isNaN(number)).average();
    String text = mean.isEmpty() ? "–" : number(mean.getAsDouble());
    return " ".repeat(Math.max(0, width - text.length())) + text;
  }

  private static String number(@Nullable Double value) {
    return value == null ? "–" : "%.3f".formatted(value);
  }
}
