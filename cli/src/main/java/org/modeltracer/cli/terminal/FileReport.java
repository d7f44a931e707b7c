package org.modeltracer.cli.terminal;

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
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.modeltracer.gate.output.JsonHead;
import org.modeltracer.gguf.ArrayValue;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.GgufKind;
import org.modeltracer.gguf.Shard;
import org.modeltracer.gguf.TensorInfo;
import org.modeltracer.gguf.Value;
import org.modeltracer.graph.FoundSite;
import org.modeltracer.model.Place;
import org.modeltracer.model.Site;

/**
 * What is in a model file, and what can be watched in its graph.
 *
 * @param file the file
 * @param sites places found in the graph, null when nobody looked
 */
public record FileReport(GgufFile file, @Nullable List<FoundSite> sites) {
  private static final int WIDEST = 96;

  private record Tensor(
      String name, String type, List<Long> shape, String file, long offset, long bytes) {
    static Tensor of(TensorInfo t) {
      String file = String.valueOf(t.file().getFileName());
      return new Tensor(t.name(), t.type().ggmlName(), t.shape(), file, t.offset(), t.bytes());
    }
  }

  private record Part(String file, int version, long bytes, long alignment, long dataOffset) {
    static Part of(Shard s) {
      return new Part(s.name(), s.version(), s.size(), s.alignment(), s.dataOffset());
    }
  }

  private record Watched(
      String site, @Nullable Integer layer, String tensor, String op, List<Long> shape) {
    static Watched of(FoundSite s) {
      return new Watched(
          s.place().site().id(),
          s.place().layerOrNull(),
          s.tensor(),
          s.op().toUpperCase(Locale.ROOT),
          s.shape());
    }
  }

  private record Contents(
      String kind,
      int version,
      long alignment,
      long dataOffset,
      List<Part> files,
      Map<String, String> metadata,
      List<Tensor> tensors,
      List<Watched> sites,
      List<Integer> encoderLayers,
      Map<String, List<String>> absent) {}

  /** The report's fields, for JSON. */
  public Object toJson() {
    List<FoundSite> found = sites == null ? List.of() : sites;
    var metadata = new LinkedHashMap<String, String>();
    for (String key : file.metadata().keys()) {
      metadata.put(key, file.metadata().get(key).orElseThrow().toString());
    }
    var contents =
        new Contents(
            file.kind().id(),
            file.version(),
            file.alignment(),
            file.dataOffset(),
            file.shards().stream().map(Part::of).toList(),
            metadata,
            file.tensors().stream().map(Tensor::of).toList(),
            found.stream().map(Watched::of).toList(),
            found.stream()
                .filter(FoundSite::encoder)
                .map(s -> s.place().layer())
                .sorted()
                .distinct()
                .toList(),
            absent(found));
    return JsonHead.of(file).before(contents);
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

  /** The same for a person. */
  public void print(Terminal terminal) {
    contents(terminal);
    if (sites == null) {
      return;
    }
    places(sites.stream().filter(s -> !s.encoder()).toList(), "in the graph of a prompt", terminal);
    List<FoundSite> encoder = sites.stream().filter(FoundSite::encoder).toList();
    if (!encoder.isEmpty()) {
      places(encoder, "in the graph of the encoder before it", terminal);
    }
  }

  private void contents(Terminal terminal) {
    for (Shard shard : file.shards()) {
      terminal.println(
          terminal.styled("bold", shard.name())
              + "  GGUF v%d, %,d bytes, alignment %d, tensor data from byte %,d"
                  .formatted(shard.version(), shard.size(), shard.alignment(), shard.dataOffset()));
    }
    if (file.kind() != GgufKind.MODEL) {
      terminal.println(file.kind().sentence(file));
    }
    terminal.println("");
    terminal.println(terminal.styled("@|bold Metadata|@  " + file.metadata().size() + " keys"));
    for (String key : file.metadata().keys()) {
      Value value = file.metadata().get(key).orElseThrow();
      terminal.println("  %-44s %s".formatted(key, shorten(describe(value))));
    }
    terminal.println("");
    terminal.println(terminal.styled("@|bold Tensors|@  " + file.tensors().size()));
    boolean split = file.shards().size() > 1;
    for (TensorInfo t : file.tensors()) {
      terminal.println(
          "  %-36s %-8s %-20s %,12d bytes at %,d"
                  .formatted(
                      t.name(),
                      t.type().ggmlName(),
                      t.shape().stream().map(String::valueOf).collect(Collectors.joining(" × ")),
                      t.bytes(),
                      t.offset())
              + (split ? " of " + t.file().getFileName() : ""));
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
  private static void places(List<FoundSite> sites, String graph, Terminal terminal) {
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
}
