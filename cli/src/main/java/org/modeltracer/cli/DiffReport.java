package org.modeltracer.cli;

import static org.modeltracer.cli.terminal.DivergenceLines.number;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.QuantizationLevel;
import org.modeltracer.cli.terminal.DivergenceLines;
import org.modeltracer.cli.terminal.Terminal;
import org.modeltracer.gguf.Quantization;
import org.modeltracer.language.LogitDivergence;
import org.modeltracer.llama.Vocabulary;
import org.modeltracer.model.Site;
import org.modeltracer.quant.EmbeddingDivergence;
import org.modeltracer.quant.FirstDivergence;
import org.modeltracer.quant.HeadDivergence;
import org.modeltracer.quant.LayerError;
import org.modeltracer.quant.NodeError;
import org.modeltracer.quant.QuantizationReport;
import org.modeltracer.quant.Rounding;
import org.modeltracer.quant.TensorError;
import org.modeltracer.quant.Unexplained;

/** Says what a comparison found. */
record DiffReport(DiffRun run, QuantizationReport report, Terminal terminal) {
  private static final int HEADS = 6;
  private static final int FLIPS = 3;
  private static final int UNMET = 8;
  private static final String ERRORS = "%9s %8s %10s";

  void print(int top, Vocabulary vocabulary, List<String> unmet) {
    heading();
    differences();
    notFinite(report.firstNotFinite());
    scaled(report.firstScaled());
    if (report.logits() != null) {
      logits(report.logits(), vocabulary);
    }
    if (report.embeddings() != null) {
      embeddings(report.embeddings());
    }
    rounding(report.rounding());
    first(report.firstDivergence());
    layers();
    nodes(top);
    heads();
    verdict(unmet);
  }

  private void heading() {
    String model = run.model().path().getFileName() + " (" + Quantization.of(run.model()) + ")";
    String against =
        run.sameModel()
            ? "itself: llama.cpp %s against %s"
                .formatted(run.versions().getLast(), run.versions().getFirst())
            : run.reference().path().getFileName()
                + " ("
                + Quantization.of(run.reference())
                + "), llama.cpp "
                + run.versions().getFirst();
    terminal.println(terminal.styled("bold", model) + " against " + against);
    terminal.println(
        terminal.styled(
            "@|faint %,d tokens in windows of %,d; %,d nodes compared|@"
                .formatted(report.tokens(), report.window(), report.nodes().size())));
    terminal.println("");
  }

  /** A parameter that differs explains more than any number that follows from it. */
  private void differences() {
    run.differences()
        .forEach(
            difference ->
                terminal.println(
                    terminal.styled("@|bold,red other file|@  ") + difference.message()));
    if (!run.differences().isEmpty()) {
      terminal.println("");
    }
  }

  /** What makes all other numbers meaningless comes first. */
  private void notFinite(@Nullable NodeError first) {
    if (first != null) {
      String side =
          first.referenceNotFinite() == 0
              ? "the model: %,d values".formatted(first.notFinite())
              : "the reference: %,d values".formatted(first.referenceNotFinite());
      terminal.println(
          terminal.styled("@|bold,red not finite|@  ")
              + "first in %s of %s that are NaN or infinite; they are left out of all that follows"
                  .formatted(name(first), side));
      terminal.println("");
    }
  }

  private void scaled(@Nullable NodeError first) {
    if (first != null) {
      terminal.println(
          terminal.styled("@|bold,red wrong scale|@  ") + first.scaleInWords(name(first)));
      terminal.println("");
    }
  }

  private void logits(LogitDivergence l, Vocabulary vocabulary) {
    DivergenceLines.print(l, terminal);
    for (LogitDivergence.Flip flip : l.examples().stream().limit(FLIPS).toList()) {
      terminal.println(
          terminal.styled("@|faint   flip at|@ ")
              + "%d: %s (%.2f) becomes %s (%.2f left for the first)"
                  .formatted(
                      flip.position(),
                      quoted(vocabulary, flip.reference()),
                      flip.referenceProbability(),
                      quoted(vocabulary, flip.predicted()),
                      flip.probability()));
    }
    terminal.println("");
  }

  private void embeddings(EmbeddingDivergence e) {
    terminal.println(
        "embeddings      cosine %s%s"
            .formatted(
                e.texts() == 1
                    ? "%.6f".formatted(e.cosineMin())
                    : "mean %.6f, least %.6f of %d texts"
                        .formatted(e.cosineMean(), e.cosineMin(), e.texts()),
                terminal.styled(
                    " @|faint (%s of the tokens' last states)|@"
                        .formatted(
                            switch (e.pooling()) {
                              case MEAN -> "mean";
                              case CLS -> "the first";
                              case LAST -> "the last";
                            }))));
    terminal.println("");
  }

  private static String quoted(Vocabulary vocabulary, int token) {
    if (!vocabulary.usable()) {
      return "token " + token;
    }
    String text = new String(vocabulary.piece(token, true), StandardCharsets.UTF_8);
    return "'" + text.replace("\n", "\\n").replace("@|", "@ |") + "'";
  }

  private void rounding(@Nullable Rounding rounding) {
    if (rounding == null) {
      return;
    }
    Unexplained first = rounding.first();
    terminal.println(
        first == null
            ? terminal.styled("@|green nothing beyond what the arithmetic explains|@")
                + terminal.styled(
                    " @|faint (%d nodes on the same inputs, %,d numbers in float64)|@"
                        .formatted(rounding.nodes(), rounding.exact()))
            : terminal.styled("@|bold,red beyond rounding|@  ") + inWords(first));
    terminal.println("");
  }

  static String inWords(Unexplained first) {
    return "%s (%s, %s), position %d: relative error %s on the same inputs, explained %s%s"
        .formatted(
            first.name(),
            first.place().site().id(),
            first.op(),
            first.position(),
            number(first.relativeL2()),
            number(first.explained()),
            switch (first.side()) {
              case MODEL -> "; the reference agrees with float64";
              case REFERENCE -> "; it is the reference that float64 contradicts";
              case UNKNOWN -> "";
            });
  }

  private void first(@Nullable FirstDivergence first) {
    if (!run.sameModel()) {
      return;
    }
    terminal.println(
        first == null
            ? terminal.styled("@|green no node differs by more than|@ ")
                + "%g of its row".formatted(report.tolerance())
            : terminal.styled("@|bold first to differ|@  ")
                + "%s (%s, %s), position %d: relative error %s, tolerated %g"
                    .formatted(
                        first.tensor(),
                        first.place().site().id(),
                        first.op(),
                        first.position(),
                        number(first.relativeL2()),
                        report.tolerance()));
    terminal.println("");
  }

  private void layers() {
    terminal.println(
        terminal.styled(
            "@|bold "
                + ("%-6s " + ERRORS + "   " + ERRORS + "  %-10s %s")
                    .formatted(
                        "layer",
                        "own err",
                        "SNR dB",
                        "cosine",
                        "all err",
                        "SNR dB",
                        "cosine",
                        "level",
                        "worst node")
                + "|@"));
    for (LayerError layer : report.layers()) {
      terminal.println(
          "%-6d %s   %s  %s %s"
              .formatted(
                  layer.layer(),
                  errors(layer.local()),
                  errors(layer.accumulated()),
                  level(layer.level()),
                  layer.worst()));
    }
    terminal.println("");
  }

  private void nodes(int top) {
    if (top == 0) {
      return;
    }
    terminal.println(
        terminal.styled(
            "@|bold "
                + ("%-10s %-28s %-6s " + ERRORS + "   " + ERRORS)
                    .formatted(
                        "level", "node", "weight", "own err", "SNR dB", "cosine", "all err",
                        "SNR dB", "cosine")
                + "|@"));
    List<NodeError> shown = report.nodes().stream().limit(top).toList();
    for (NodeError node : shown) {
      terminal.println(
          "%s %-28s %-6s %s   %s"
              .formatted(
                  level(node.level()),
                  name(node),
                  node.type() == null ? "" : node.type(),
                  errors(node.local()),
                  errors(node.accumulated())));
      massive(node);
    }
    if (report.localReason() != null) {
      terminal.println(terminal.styled("faint", "no own errors: " + report.localReason()));
    }
    terminal.println("");
  }

  /** Names repeat where a node has no place of its own: the operation distinguishes them. */
  private static String name(NodeError node) {
    return node.name() + (node.place().site() == Site.OTHER ? " " + node.op() : "");
  }

  private void massive(NodeError node) {
    if (node.accumulatedWithoutMassive() != null) {
      terminal.println(
          "%-10s %-35s %s   %s"
              .formatted(
                  "",
                  "  without dimensions " + node.massive(),
                  errors(node.localWithoutMassive()),
                  errors(node.accumulatedWithoutMassive())));
    }
  }

  private void heads() {
    if (report.heads().isEmpty()) {
      return;
    }
    terminal.println(terminal.styled("@|bold attention that differs most|@ (JS, 0 to 0.69)"));
    for (HeadDivergence head : report.heads().stream().limit(HEADS).toList()) {
      terminal.println(
          "  L%dH%-4d own %s   all %s   largest row %s"
              .formatted(
                  head.layer(),
                  head.head(),
                  number(head.local()),
                  number(head.accumulated()),
                  number(head.accumulatedMax())));
    }
    terminal.println("");
  }

  private void verdict(List<String> unmet) {
    terminal.println(
        "%d nodes critical, %d with a warning (cosine, or that of noise of such an error, at or below 0.99, 0.995)"
            .formatted(
                report.count(QuantizationLevel.CRITICAL), report.count(QuantizationLevel.WARNING)));
    terminal.println(
        terminal.styled(
            "@|faint own: the layer gets the reference's input; all: with what the layers before"
                + " it have added; err: ‖error‖ / ‖reference‖|@"));
    unmet.stream()
        .limit(UNMET)
        .forEach(line -> terminal.println(terminal.styled("@|red ✘|@ ") + line));
    if (unmet.size() > UNMET) {
      terminal.println("  … and %d more".formatted(unmet.size() - UNMET));
    }
    if (unmet.isEmpty()) {
      terminal.println(terminal.styled("@|green ✔|@ ") + "within the policy's limits");
    }
  }

  private String level(QuantizationLevel level) {
    String style =
        switch (level) {
          case ACCEPTABLE -> "green";
          case WARNING -> "yellow";
          case CRITICAL -> "red";
        };
    return terminal.styled("@|" + style + " " + "%-10s".formatted(level.id()) + "|@");
  }

  private static String errors(@Nullable TensorError e) {
    return e == null
        ? ERRORS.formatted("-", "-", "-")
        : ERRORS.formatted(
            number(e.relativeL2()),
            Double.isNaN(e.snrDb())
                ? "-"
                : Double.isInfinite(e.snrDb())
                    ? "∞"
                    : String.format(Locale.ROOT, "%.1f", e.snrDb()),
            Double.isNaN(e.cosine()) ? "-" : String.format(Locale.ROOT, "%.6f", e.cosine()));
  }
}
