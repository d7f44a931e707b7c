package org.modeltracer.cli.terminal;

import java.util.List;
import org.jspecify.annotations.Nullable;
import org.modeltracer.sparse.IndexHead;
import org.modeltracer.sparse.IndexedLayer;
import org.modeltracer.sparse.IndexerReport;
import org.modeltracer.sparse.SparseReport;

/** What indexers are worth, for a person: a table, a map of what they select, and what is wrong. */
public final class SparseTables {
  private static final String SHADES = " ░▒▓█";
  private static final double GOOD = 0.9;

  private final SparseReport report;
  private final Terminal terminal;

  /** Tables of a report. */
  public SparseTables(SparseReport report, Terminal terminal) {
    this.report = report;
    this.terminal = terminal;
  }

  /** Prints everything. */
  public void print() {
    if (report.indexer() != null) {
      indexer(report.indexer());
    }
    if (report.policies() != null) {
      new PolicyTables(report.policies(), terminal).print();
    }
    new PatternTables(report, terminal).print();
  }

  private void indexer(IndexerReport indexer) {
    terminal.println("");
    terminal.println(
        terminal.styled(
            "bold",
            "layer   k  queries  recall    best  chance  recent  overlap     IoU     AUC      KL"
                + "  old ‥ new"));
    indexer.layers().forEach(this::layer);
    terminal.println("");
    indexer.layers().forEach(this::remarks);
    heads(indexer.layers());
  }

  private void layer(IndexedLayer layer) {
    Double recall = layer.recall();
    Double best = layer.best();
    String line =
        "%5d%4d%9d".formatted(layer.layer(), layer.topK(), layer.exercised())
            + number(recall)
            + number(best)
            + number(layer.chance())
            + number(layer.recencyRecall())
            + " "
            + number(layer.overlap())
            + number(layer.iou())
            + number(layer.auc())
            + number(layer.divergence())
            + "  "
            + map(layer.selectedByKey());
    boolean poor = recall != null && best != null && recall < GOOD * best;
    terminal.println(poor ? terminal.styled("yellow", line) : line);
  }

  private static String number(@Nullable Double value) {
    return value == null ? "       –" : "%8.3f".formatted(value);
  }

  /** Share of keys selected, by tenth, against the largest. */
  private static String map(double[] shares) {
    double most = 0;
    for (double share : shares) {
      most = Math.max(most, share);
    }
    var map = new StringBuilder();
    for (double share : shares) {
      int shade = most == 0 ? 0 : (int) Math.round((SHADES.length() - 1) * share / most);
      map.append(SHADES.charAt(shade));
    }
    return map.toString();
  }

  private void remarks(IndexedLayer layer) {
    if (layer.absent() != null) {
      terminal.println("layer %d: no recall, %s".formatted(layer.layer(), layer.absent()));
    }
    Integer from = layer.fallsFrom();
    if (from != null) {
      terminal.println("layer %d: recall falls from %d keys on".formatted(layer.layer(), from));
    }
    String sentence = layer.mistake();
    if (sentence != null) {
      terminal.println(terminal.styled("red", sentence));
    }
  }

  private void heads(List<IndexedLayer> layers) {
    for (IndexedLayer layer : layers) {
      List<IndexHead> silent =
          layer.heads().stream().filter(h -> h.scores() != null && h.share() == 0).toList();
      if (!silent.isEmpty()) {
        terminal.println(
            "layer %d: index heads that add nothing: %s"
                .formatted(layer.layer(), silent.stream().map(IndexHead::head).toList()));
      }
    }
  }
}
