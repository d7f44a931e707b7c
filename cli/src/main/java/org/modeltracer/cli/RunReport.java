package org.modeltracer.cli;

import static java.util.Objects.requireNonNull;
import static java.util.Objects.requireNonNullElse;
import static java.util.stream.Collectors.groupingBy;
import static java.util.stream.Collectors.toList;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.anomaly.RootCause;
import org.modeltracer.attention.report.AttentionAnalysis;
import org.modeltracer.cli.terminal.AnomalyPrinter;
import org.modeltracer.cli.terminal.CacheReport;
import org.modeltracer.cli.terminal.HeadMap;
import org.modeltracer.cli.terminal.HeadPictures;
import org.modeltracer.cli.terminal.Sparkline;
import org.modeltracer.cli.terminal.Terminal;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.Quantization;
import org.modeltracer.llama.Device;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.ModelOptions.Placement;
import org.modeltracer.session.Generation;
import org.modeltracer.session.SessionOptions;
import org.modeltracer.sparse.IndexedLayer;
import org.modeltracer.sparse.IndexerReport;
import org.modeltracer.trace.LayerActivationTrace;
import org.modeltracer.trace.PlaceTrace;

/** What a run found, for a person at a terminal. */
final class RunReport {
  private static final int SHOWN = 8;

  private final TracedRun run;
  private final Terminal terminal;

  RunReport(TracedRun run, Terminal terminal) {
    this.run = run;
    this.terminal = terminal;
  }

  /** Which model, which runtime, how. */
  void heading(SessionOptions options) {
    GgufFile file = run.model().file();
    LlamaModel model = run.model().model();
    terminal.println(
        terminal.styled("bold", file.path().getFileName().toString())
            + "  %s, %d layers, %d heads, width %d, %s parameters, %s"
                .formatted(
                    file.architecture().orElse("?"),
                    model.layers(),
                    model.heads(),
                    model.width(),
                    count(model.parameters()),
                    Quantization.of(file)));
    terminal.println(
        "llama.cpp %s on %s, %d thread%s, context %d, flash attention %s"
            .formatted(
                model.runtime().version(),
                devices(model),
                options.context().threads(),
                options.context().threads() == 1 ? "" : "s",
                run.session().context().contextTokens(),
                run.session().usesFlashAttention() ? "on, rows recomputed" : "off"));
    terminal.println("");
  }

  private static String devices(LlamaModel model) {
    Placement placement = model.options().placement();
    return Stream.concat(
            placement.rpcServers().stream().map(server -> "RPC[" + server + "]"),
            model.runtime().devices(placement).stream().map(Device::toString))
        .collect(Collectors.joining(" + "));
  }

  /** What was seen, and the folder in which there is more of it. */
  void findings(Path folder) {
    terminal.println("");
    rootCauses(run.tracer().anomalies());
    run.generations().forEach(this::speed);
    List<LayerActivationTrace> layers = run.tracer().activations().layers();
    if (!layers.isEmpty()) {
      terminal.println("");
      layers(layers);
    }
    AttentionAnalysis attention = run.analysis();
    if (attention != null && !attention.attentionWeights().isEmpty()) {
      terminal.println("");
      HeadMap.of(attention, terminal).print();
      new HeadPictures(terminal).print(run.matrices());
    }
    lens(run.decided());
    indexer(run.indexer());
    terminal.println("");
    new CacheReport(terminal).print(run.session().cache().caches(), run.cacheContents());
    terminal.println("");
    terminal.print(run.tracer().summary() + "\n");
    anomalies(run.tracer().anomalies());
    terminal.println(
        "Wrote "
            + folder.resolve("summary.json")
            + (attention == null ? " and" : ", attention.json and")
            + " anomalies.jsonl beside it.");
  }

  /** What a reader looks for comes first: each cause once, with the number of its consequences. */
  private void rootCauses(List<Anomaly> anomalies) {
    Map<String, List<Anomaly>> causes =
        anomalies.stream()
            .filter(anomaly -> anomaly.rootCause() != null)
            .collect(groupingBy(RunReport::cause, LinkedHashMap::new, toList()));
    for (List<Anomaly> all : causes.values()) {
      long times = all.stream().mapToLong(Anomaly::times).sum();
      terminal.println(
          terminal.styled("@|bold,red root cause|@  ")
              + "%s (%,d anomal%s)"
                  .formatted(
                      requireNonNull(all.getFirst().rootCause()).message(),
                      times,
                      times == 1 ? "y" : "ies"));
    }
    if (!causes.isEmpty()) {
      terminal.println("");
    }
  }

  /** One weight is one cause, whichever operation meets it first. */
  private static String cause(Anomaly anomaly) {
    RootCause cause = requireNonNull(anomaly.rootCause());
    return requireNonNullElse(cause.weight(), cause.message());
  }

  private void lens(List<Integer> decided) {
    if (!decided.isEmpty()) {
      int half = decided.stream().sorted().skip((decided.size() - 1) / 2).findFirst().orElseThrow();
      terminal.println("");
      terminal.println(
          "Logit lens: half of %d tokens were decided %s; layer by layer in summary.json."
              .formatted(decided.size(), half < 0 ? "by the embedding" : "after layer " + half));
    }
  }

  private void indexer(@Nullable IndexerReport indexer) {
    if (indexer == null) {
      return;
    }
    terminal.println("");
    Double recall = indexer.recall();
    if (recall == null) {
      String why = indexer.notExercised();
      terminal.println("Indexer: " + (why == null ? "no recall; sparse says why" : why));
      return;
    }
    terminal.println(
        "Indexer: selected keys hold %.2f of the attention mass, mean of %d layers; sparse says more."
            .formatted(recall, indexer.layers().size()));
    for (IndexedLayer layer : indexer.layers()) {
      String sentence = layer.mistake();
      if (sentence != null) {
        terminal.println("  " + terminal.styled("red", sentence));
      }
    }
  }

  private void speed(Generation g) {
    double rate = g.generationSeconds() > 0 ? (g.tokens().size() - 1) / g.generationSeconds() : 0;
    terminal.println(
        "%d prompt tokens%s in %.2f s, %d generated at %.0f tokens/s while traced; ended by %s."
            .formatted(
                g.promptTokens(),
                g.reusedTokens() > 0 ? " (" + g.reusedTokens() + " reused)" : "",
                g.promptSeconds(),
                g.tokens().size(),
                rate,
                g.finish().name().toLowerCase(Locale.ROOT).replace('_', ' ')
                    + (g.shifts() > 0 ? " after " + g.shifts() + " context shifts" : "")));
  }

  private void layers(List<LayerActivationTrace> layers) {
    terminal.println(
        terminal.styled(
            "@|bold layer   rms in  attention       ffn   rms out   max |x|   kept   cos"
                + "   headroom|@"));
    long all = layers.stream().mapToLong(LayerActivationTrace::tokens).max().orElse(0);
    for (LayerActivationTrace layer : layers) {
      boolean whole = layer.tokens() == all;
      terminal.println(
          "%5d %8s %10s %9s %9s %9s %6s %5s %10s"
                  .formatted(
                      layer.layer(),
                      rms(layer.input()),
                      rms(layer.postAttention()),
                      rms(layer.postFfn()),
                      rms(layer.output()),
                      layer.output() == null ? "" : number(max(layer.output())),
                      whole ? percent(layer.residualRatio()) : "",
                      layer.cosine() == null || !whole ? "" : "%.2f".formatted(layer.cosine()),
                      headroom(layer.headroomBits()))
              + (whole || layer.tokens() == 0
                  ? ""
                  : "  ffn and out of %d of %d tokens".formatted(layer.tokens(), all)));
    }
    if (terminal.interactive()) {
      var sizes = new ArrayList<@Nullable Double>();
      layers.forEach(layer -> sizes.add(size(layer.output())));
      terminal.println("rms out  " + Sparkline.of(sizes));
    }
    terminal.println(
        terminal.styled(
            "@|faint kept: share of the residual stream's norm that the layer left as it was;"
                + " headroom: bits left before F16 overflows|@"));
  }

  /** Nothing to lose where all values are zero. */
  private static String headroom(@Nullable Double bits) {
    return bits == null ? "" : bits.isInfinite() ? "∞ bits" : "%.1f bits".formatted(bits);
  }

  private static String rms(@Nullable PlaceTrace place) {
    Double size = size(place);
    return size == null ? "" : size.isNaN() ? "NaN" : number(size);
  }

  /** Root mean square of the finite values, NaN where there are none; null of no place. */
  private static @Nullable Double size(@Nullable PlaceTrace place) {
    if (place == null) {
      return null;
    }
    long finite = place.aggregate().count() - place.aggregate().nan() - place.aggregate().inf();
    return finite == 0 ? Double.NaN : place.aggregate().l2() / Math.sqrt((double) finite);
  }

  private static double max(PlaceTrace place) {
    return Math.max(Math.abs(place.aggregate().min()), Math.abs(place.aggregate().max()));
  }

  private static String number(double value) {
    double size = Math.abs(value);
    return size >= 1e5 || (size < 1e-3 && size > 0)
        ? "%.1e".formatted(value)
        : size >= 100 ? "%.0f".formatted(value) : "%.3g".formatted(value);
  }

  private static String percent(@Nullable Double share) {
    return share == null ? "" : "%.0f %%".formatted(100 * share);
  }

  private static String count(long n) {
    return n >= 1_000_000_000
        ? "%.1fB".formatted(n / 1e9)
        : n >= 1_000_000 ? "%.1fM".formatted(n / 1e6) : "%.0fK".formatted(n / 1e3);
  }

  private void anomalies(List<Anomaly> anomalies) {
    if (anomalies.isEmpty()) {
      terminal.println(terminal.styled("@|green No anomalies.|@"));
      return;
    }
    terminal.println("Anomalies:");
    anomalies.stream()
        .sorted(AnomalyPrinter.WORST_FIRST)
        .limit(SHOWN)
        .forEach(
            a -> terminal.println("  " + AnomalyPrinter.line(a, terminal) + again(a.repeats())));
    if (anomalies.size() > SHOWN) {
      terminal.println("  … and " + (anomalies.size() - SHOWN) + " more in anomalies.jsonl");
    }
  }

  private static String again(long repeats) {
    return repeats == 0
        ? ""
        : repeats == 1 ? " (once more)" : " (%,d times more)".formatted(repeats);
  }
}
