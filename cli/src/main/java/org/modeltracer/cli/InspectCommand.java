package org.modeltracer.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.modeltracer.cli.terminal.ExitCode;
import org.modeltracer.cli.terminal.Terminal;
import org.modeltracer.cli.terminal.WeightReport;
import org.modeltracer.gguf.ArrayValue;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.LoadChecks;
import org.modeltracer.gguf.TensorInfo;
import org.modeltracer.gguf.Value;
import org.modeltracer.graph.FoundSite;
import org.modeltracer.model.Place;
import org.modeltracer.model.Site;
import org.modeltracer.session.SessionOptions;
import org.modeltracer.session.TracedSession;
import org.modeltracer.trace.Json;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Says what is in a model file and what can be watched in the model. */
@Command(
    name = "inspect",
    description = "Show a file's metadata and tensors, and the places found in its graph.",
    sortOptions = false)
final class InspectCommand implements Callable<Integer> {
  private static final int WIDEST = 96;

  @Spec private CommandSpec spec;

  @Parameters(paramLabel = "FILE", arity = "0..1", description = "The GGUF file.")
  private @Nullable Path file;

  @Mixin private ModelArguments model;
  @Mixin private ContextArguments context;
  @Mixin private ThresholdArguments limits;

  @Option(names = "--no-sites", description = "Do not load the model to look for places.")
  private boolean noSites;

  @Option(
      names = "--weights",
      description = "Scan all weights for NaN, Inf, absurd scales, zero rows and dead experts.")
  private boolean weights;

  @Option(names = "--json", description = "Print JSON.")
  private boolean json;

  @Override
  public Integer call() {
    var terminal = Terminal.of(spec);
    if (file != null) {
      model.file = file;
    }
    GgufFile gguf = LoadChecks.read(model.file());
    if (weights) {
      return new WeightReport(terminal, json)
          .scan(gguf, model.runtime(terminal), limits.thresholds())
          .code();
    }
    List<FoundSite> sites = noSites ? List.of() : sites(gguf, terminal);
    if (json) {
      terminal.print(Json.pretty(toJson(gguf, sites)));
    } else {
      print(gguf, terminal);
      if (!noSites) {
        List<FoundSite> encoder = sites.stream().filter(FoundSite::encoder).toList();
        print(
            sites.stream().filter(s -> !s.encoder()).toList(),
            "in the graph of a prompt",
            terminal);
        if (!encoder.isEmpty()) {
          print(encoder, "in the graph of the encoder before it", terminal);
        }
      }
    }
    return ExitCode.PASS.code();
  }

  private List<FoundSite> sites(GgufFile gguf, Terminal terminal) {
    try (var loaded = LoadedModel.open(model, terminal);
        var tracer = new ModelTracer(TracerConfig.disabled());
        var session =
            TracedSession.open(
                loaded.model(),
                SessionOptions.defaults().withContext(context.options(gguf)),
                tracer)) {
      return session.sites();
    }
  }

  private static void print(GgufFile gguf, Terminal terminal) {
    terminal.println(
        terminal.styled("@|bold " + gguf.path().getFileName() + "|@")
            + "  GGUF v%d, %,d bytes, alignment %d, tensor data from byte %,d"
                .formatted(gguf.version(), gguf.size(), gguf.alignment(), gguf.dataOffset()));
    terminal.println("");
    terminal.println(terminal.styled("@|bold Metadata|@  " + gguf.metadata().size() + " keys"));
    for (String key : gguf.metadata().keys()) {
      Value value = gguf.metadata().get(key).orElseThrow();
      terminal.println("  %-44s %s".formatted(key, shorten(describe(value))));
    }
    terminal.println("");
    terminal.println(terminal.styled("@|bold Tensors|@  " + gguf.tensors().size()));
    for (TensorInfo t : gguf.tensors()) {
      terminal.println(
          "  %-36s %-8s %-20s %,12d bytes at %,d"
              .formatted(
                  t.name(),
                  t.type().ggmlName(),
                  t.shape().stream().map(String::valueOf).collect(Collectors.joining(" × ")),
                  t.bytes(),
                  t.offset()));
    }
    terminal.println("");
  }

  private static String describe(Value value) {
    return switch (value) {
      case ArrayValue array -> array.toString();
      case Value.Text text -> '"' + text.toString().replaceAll("\\R", "⏎") + '"';
      default -> value.toString();
    };
  }

  private static String shorten(String text) {
    return text.length() <= WIDEST ? text : text.substring(0, WIDEST - 1) + "…";
  }

  /** For each kind of place the node of the first layer that has it, and the layers that do not. */
  private static void print(List<FoundSite> sites, String graph, Terminal terminal) {
    var layers = new TreeSet<Integer>();
    var found = new EnumMap<Site, List<FoundSite>>(Site.class);
    for (FoundSite site : sites) {
      if (site.place().inLayer()) {
        layers.add(site.place().layer());
      }
      found.computeIfAbsent(site.place().site(), s -> new ArrayList<>()).add(site);
    }
    terminal.println(
        terminal.styled("@|bold Places|@  %s, %d layers".formatted(graph, layers.size())));
    var absent = new ArrayList<String>();
    for (Site site : Site.values()) {
      List<FoundSite> at = found.get(site);
      if (at == null) {
        if (site != Site.OTHER) {
          absent.add(site.id());
        }
        continue;
      }
      FoundSite first = at.getFirst();
      terminal.println(
          "  %-14s %-28s %-16s %s"
              .formatted(site.id(), first.tensor(), first.op(), where(at, layers)));
    }
    if (!absent.isEmpty()) {
      terminal.println("  not found: " + String.join(", ", absent));
    }
  }

  private static String where(List<FoundSite> at, TreeSet<Integer> layers) {
    Place first = at.getFirst().place();
    if (!first.inLayer()) {
      return first.layer() == Place.BEFORE_LAYERS ? "before the layers" : "after the layers";
    }
    if (first.site() == Site.EMBEDDING || first.site() == Site.FINAL_NORM) {
      return (first.site() == Site.EMBEDDING ? "before layer " : "after layer ") + first.layer();
    }
    var missing = new TreeSet<>(layers);
    at.forEach(s -> missing.remove(s.place().layer()));
    return missing.isEmpty() ? "all layers" : "all layers but " + missing;
  }

  private static Map<String, Object> toJson(GgufFile gguf, List<FoundSite> sites) {
    var root = new LinkedHashMap<String, Object>();
    root.put("file", gguf.path().getFileName().toString());
    root.put("version", gguf.version());
    root.put("bytes", gguf.size());
    root.put("alignment", gguf.alignment());
    root.put("data_offset", gguf.dataOffset());
    var metadata = new LinkedHashMap<String, String>();
    for (String key : gguf.metadata().keys()) {
      metadata.put(key, gguf.metadata().get(key).orElseThrow().toString());
    }
    root.put("metadata", metadata);
    root.put(
        "tensors",
        gguf.tensors().stream()
            .map(
                t -> {
                  var tensor = new LinkedHashMap<String, Object>();
                  tensor.put("name", t.name());
                  tensor.put("type", t.type().ggmlName());
                  tensor.put("shape", t.shape());
                  tensor.put("offset", t.offset());
                  tensor.put("bytes", t.bytes());
                  return tensor;
                })
            .toList());
    root.put(
        "sites",
        sites.stream()
            .map(
                s -> {
                  var site = new LinkedHashMap<String, Object>();
                  site.put("site", s.place().site().id());
                  boolean numbered = s.place().layer() != Place.AFTER_LAYERS;
                  site.put("layer", numbered ? s.place().layer() : null);
                  site.put("tensor", s.tensor());
                  site.put("op", s.op().toUpperCase(Locale.ROOT));
                  site.put("shape", s.shape());
                  return site;
                })
            .toList());
    root.put(
        "encoder_layers",
        sites.stream()
            .filter(FoundSite::encoder)
            .map(s -> s.place().layer())
            .sorted()
            .distinct()
            .toList());
    root.put("absent", absent(sites));
    return root;
  }

  /** For each layer that was looked at, the kinds of places that it does not have. */
  private static Map<String, List<String>> absent(List<FoundSite> sites) {
    var found = new TreeMap<Integer, Set<Site>>();
    for (FoundSite site : sites) {
      if (site.place().inLayer()) {
        found
            .computeIfAbsent(site.place().layer(), layer -> EnumSet.noneOf(Site.class))
            .add(site.place().site());
      }
    }
    var absent = new LinkedHashMap<String, List<String>>();
    found.forEach(
        (layer, has) ->
            absent.put(
                String.valueOf(layer),
                Site.inLayers().filter(site -> !has.contains(site)).map(Site::id).toList()));
    return absent;
  }
}
