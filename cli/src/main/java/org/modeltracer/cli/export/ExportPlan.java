package org.modeltracer.cli.export;

import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;
import org.modeltracer.cli.terminal.CliException;
import org.modeltracer.cli.terminal.ExitCode;
import org.modeltracer.graph.FoundSite;
import org.modeltracer.llama.Op;
import org.modeltracer.model.Place;
import org.modeltracer.model.Pooling;

/** Which arrays an export consists of, decided before the model runs. */
public final class ExportPlan {
  /** What can be exported. */
  public enum What {
    TOKENS,
    ATTENTION,
    HIDDEN,
    LOGITS,
    ROLLOUT,
    /** One embedding of the whole text, of length 1, by the pooling that the file names. */
    EMBEDDING;

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /**
   * One array and the file it goes to.
   *
   * @param layer layer index, -1 for the embedding, null for what belongs to no layer
   * @param heads heads along the first dimension of attention, empty for anything else
   */
  public record Entry(
      String file,
      What what,
      @Nullable Integer layer,
      List<Integer> heads,
      NpyFile.Type type,
      List<Long> shape) {
    public long bytes() {
      return NpyFile.bytes(type, shape);
    }
  }

  private final long positions;
  private final Set<Integer> wantedLayers;
  private final Set<Integer> wantedHeads;
  private final List<Entry> entries = new ArrayList<>();
  private final List<String> notes = new ArrayList<>();
  private final Map<Integer, Integer> heads = new TreeMap<>();
  private final Map<Integer, Long> widths = new TreeMap<>();
  private final Set<Integer> layers = new TreeSet<>();
  private long embeddingWidth;
  private final long stateWidth;
  private long vocabulary;
  private final @Nullable Pooling pooling;

  /**
   * Plans an export.
   *
   * @param sites places of the model
   * @param pooling how it makes an embedding of a text; null when it makes none
   * @param positions tokens of the prompt
   * @param wantedLayers layers exported, empty for all
   * @param wantedHeads heads exported, empty for all
   */
  public ExportPlan(
      List<FoundSite> sites,
      @Nullable Pooling pooling,
      Set<What> what,
      int positions,
      List<Integer> wantedLayers,
      List<Integer> wantedHeads) {
    this.positions = positions;
    this.pooling = pooling;
    this.wantedLayers = Set.copyOf(wantedLayers);
    this.wantedHeads = Set.copyOf(wantedHeads);
    sites.forEach(this::find);
    stateWidth = stateWidth(sites);
    checkFilters(what);
    EnumSet.copyOf(what).forEach(this::plan);
    if (entries.isEmpty()) {
      throw new CliException(ExitCode.USAGE, "nothing to export: " + String.join("; ", notes));
    }
  }

  private void find(FoundSite site) {
    Place place = site.place();
    List<Long> shape = site.shape();
    if (place.inLayer()) {
      layers.add(place.layer());
    }
    switch (place.site()) {
      // [width, head, query] where attention is one fused operation, else [key, query, head].
      case ATTENTION ->
          heads.put(
              place.layer(),
              Math.toIntExact(shape.get(site.op().equals(Op.FLASH_ATTN_EXT.name()) ? 1 : 2)));
      case LAYER_OUT -> widths.put(place.layer(), shape.getFirst());
      case EMBEDDING -> embeddingWidth = shape.getFirst();
      case LOGITS -> vocabulary = shape.getFirst();
      default -> {}
    }
  }

  /** Numbers of a last state, 0 where there is none. */
  private static long stateWidth(List<FoundSite> sites) {
    Place last = Place.lastState(sites.stream().map(FoundSite::place).toList()).orElse(null);
    return sites.stream()
        .filter(site -> site.place().equals(last))
        .mapToLong(site -> site.shape().getFirst())
        .findFirst()
        .orElse(0);
  }

  private void checkFilters(Set<What> what) {
    for (int layer : wantedLayers) {
      if (!layers.contains(layer)) {
        throw new CliException(
            ExitCode.USAGE, "--trace-layers: there is no layer " + layer + " among " + layers);
      }
    }
    int most = heads.values().stream().mapToInt(h -> h).max().orElse(0);
    for (int head : wantedHeads) {
      if (head < 0 || head >= most) {
        throw new CliException(
            ExitCode.USAGE,
            "--trace-heads: there is no head " + head + "; heads are 0 to " + (most - 1));
      }
    }
    if (what.contains(What.ROLLOUT) && !(wantedLayers.isEmpty() && wantedHeads.isEmpty())) {
      throw new CliException(
          ExitCode.USAGE,
          "--what rollout takes all layers and heads; leave --trace-layers and --trace-heads out");
    }
  }

  private void plan(What what) {
    switch (what) {
      case TOKENS -> add("tokens", what, null, NpyFile.Type.INT32, positions);
      case ATTENTION -> attention();
      case HIDDEN -> hidden();
      case LOGITS -> {
        if (vocabulary > 0) {
          add("logits", what, null, NpyFile.Type.FLOAT32, positions, vocabulary);
        } else {
          notes.add("the model has no logits");
        }
      }
      case EMBEDDING -> {
        if (pooling == null) {
          notes.add("the model makes no embedding of a text: its file names no pooling_type");
        } else if (stateWidth > 0) {
          add("embedding_pooled", what, null, NpyFile.Type.FLOAT32, stateWidth);
        } else {
          notes.add("no embedding of the text: the last states were not found in the graph");
        }
      }
      case ROLLOUT -> {
        if (heads.isEmpty()) {
          notes.add("no layer has softmax attention: no rollout");
        } else {
          add("rollout", what, null, NpyFile.Type.FLOAT32, positions, positions);
        }
      }
    }
  }

  private void attention() {
    var without = new TreeSet<Integer>();
    for (int layer : chosenLayers()) {
      var chosen = new ArrayList<Integer>();
      for (int h = 0; h < heads.getOrDefault(layer, 0); h++) {
        if (wantedHeads.isEmpty() || wantedHeads.contains(h)) {
          chosen.add(h);
        }
      }
      if (chosen.isEmpty()) {
        without.add(layer);
      } else {
        entries.add(
            new Entry(
                "attention_L" + layer + ".npy",
                What.ATTENTION,
                layer,
                chosen,
                NpyFile.Type.FLOAT32,
                List.of((long) chosen.size(), positions, positions)));
      }
    }
    if (!without.isEmpty()) {
      notes.add("no attention file for layers " + without + ": they have no softmax attention");
    }
  }

  private void hidden() {
    // The embedding is reported when the first layer ends.
    if (embeddingWidth > 0 && widths.containsKey(0)) {
      add(
          "embedding",
          What.HIDDEN,
          Place.BEFORE_LAYERS,
          NpyFile.Type.FLOAT32,
          positions,
          embeddingWidth);
    } else {
      notes.add("no embedding file: no residual stream was found in the graph");
    }
    var without = new TreeSet<Integer>();
    for (int layer : chosenLayers()) {
      Long width = widths.get(layer);
      if (width == null) {
        without.add(layer);
      } else {
        add("hidden_L" + layer, What.HIDDEN, layer, NpyFile.Type.FLOAT32, positions, width);
      }
    }
    if (!without.isEmpty()) {
      notes.add(
          "no hidden file for layers " + without + ": their output was not found in the graph");
    }
  }

  private void add(
      String name, What what, @Nullable Integer layer, NpyFile.Type type, long... shape) {
    List<Long> sizes = LongStream.of(shape).boxed().toList();
    entries.add(new Entry(name + ".npy", what, layer, List.of(), type, sizes));
  }

  private Set<Integer> chosenLayers() {
    return wantedLayers.isEmpty() ? layers : new TreeSet<>(wantedLayers);
  }

  /** The arrays, in the order in which they are listed. */
  public List<Entry> entries() {
    return entries;
  }

  /** What is left out, and why. */
  public List<String> notes() {
    return notes;
  }

  /** Bytes of all files. */
  public long bytes() {
    return entries.stream().mapToLong(Entry::bytes).sum();
  }

  /** Query heads of the widest layer. */
  public int heads() {
    return heads.values().stream().mapToInt(h -> h).max().orElse(0);
  }

  /** One more than the highest layer index. */
  public int depth() {
    return layers.stream().mapToInt(l -> l + 1).max().orElse(0);
  }
}
