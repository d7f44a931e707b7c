package org.modeltracer.cli.export;

import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;
import org.modeltracer.cli.terminal.CliException;
import org.modeltracer.cli.terminal.ExitCode;
import org.modeltracer.graph.FoundSite;
import org.modeltracer.llama.Op;
import org.modeltracer.model.Place;
import org.modeltracer.model.Pooling;
import org.modeltracer.model.Site;
import org.modeltracer.sparse.SelectedLayer;

/** Which arrays an export consists of, decided before the model runs. */
public final class ExportPlan {
  /** What can be exported. */
  public enum What {
    TOKENS,
    ATTENTION,
    HIDDEN,
    LOGITS,
    ROLLOUT,
    /** Queries as they meet the keys: after the rotary embedding, and scaled where a model does. */
    Q(Site.QUERY),
    /** Keys of each token, after the rotary embedding. */
    K(Site.KEY),
    /** Values of each token. */
    V(Site.VALUE),
    /** What each head mixes of the values, before the output matrix. */
    HEAD_OUTPUTS(Site.CONTEXT),
    /** What the last matrix of the feed-forward block reads. */
    MLP(Site.FFN_HIDDEN),
    /** Index scores of sparse attention, and what each index head adds to them. */
    INDEXER,
    /** Which keys sparse attention sees. */
    SELECTION,
    /** Statistics of each place, and of each head, as tables. */
    TABLES,
    /** One embedding of the whole text, of length 1, by the pooling that the file names. */
    EMBEDDING;

    private final @Nullable Site site;

    What() {
      site = null;
    }

    What(Site site) {
      this.site = site;
    }

    /** The kind of place whose rows are exported; null for what is not read row by row. */
    @Nullable Site site() {
      return site;
    }

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /**
   * One array and the file it goes to.
   *
   * @param layer layer index, -1 for the embedding, null for what belongs to no layer
   * @param heads heads along the dimension of that name; empty where there is none
   * @param axes what each dimension counts, slowest first
   */
  public record Entry(
      String file,
      What what,
      @Nullable Integer layer,
      List<Integer> heads,
      NpyFile.Type type,
      List<Long> shape,
      List<String> axes) {
    public long bytes() {
      return NpyFile.bytes(type, shape);
    }

    /** Dimensions of what is written at once: all that one token has, or one row of attention. */
    int rowDimensions() {
      int outer = axes.getFirst().equals("head") ? 2 : 1;
      return Math.max(1, shape.size() - outer);
    }
  }

  private final long positions;
  private final String prefix;
  private final Set<Integer> wantedLayers;
  private final Set<Integer> wantedHeads;
  private final List<Entry> entries = new ArrayList<>();
  private final List<String> notes = new ArrayList<>();
  private final Map<Integer, Integer> heads = new TreeMap<>();
  private final Map<Integer, Long> widths = new TreeMap<>();
  private final Map<Place, List<Long>> rows = new HashMap<>();
  private final Set<Integer> layers = new TreeSet<>();
  private long embeddingWidth;
  private final long stateWidth;
  private long vocabulary;
  private final @Nullable Pooling pooling;
  private final List<SelectedLayer> selecting;

  /**
   * Plans an export.
   *
   * @param sites places of the model
   * @param selecting layers that attend to selected keys only
   * @param pooling how it makes an embedding of a text; null when it makes none
   * @param tokensSeen tokens for which {@code sites} tells the shapes
   * @param prefix what the files of this text begin with; empty, or a folder
   * @param positions tokens of the text, those that were generated included
   * @param wantedLayers layers exported, empty for all
   * @param wantedHeads heads exported, empty for all
   */
  public ExportPlan(
      List<FoundSite> sites,
      List<SelectedLayer> selecting,
      @Nullable Pooling pooling,
      int tokensSeen,
      String prefix,
      Set<What> what,
      int positions,
      List<Integer> wantedLayers,
      List<Integer> wantedHeads) {
    this.positions = positions;
    this.selecting = List.copyOf(selecting);
    this.pooling = pooling;
    this.prefix = prefix;
    this.wantedLayers = Set.copyOf(wantedLayers);
    this.wantedHeads = Set.copyOf(wantedHeads);
    sites.forEach(site -> find(site, tokensSeen));
    stateWidth = stateWidth(sites);
    checkFilters(what);
    EnumSet.copyOf(what).forEach(this::plan);
    if (entries.isEmpty() && !what.contains(What.TABLES)) {
      throw new CliException(ExitCode.USAGE, "nothing to export: " + String.join("; ", notes));
    }
  }

  private void find(FoundSite site, int tokensSeen) {
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
      case QUERY, KEY, VALUE, CONTEXT, FFN_HIDDEN -> rows.put(place, row(shape, tokensSeen));
      default -> {}
    }
  }

  /** Dimensions of one token's row, slowest first: those of the node without that of the tokens. */
  private static List<Long> row(List<Long> shape, int tokens) {
    var row = new ArrayList<>(shape);
    row.removeIf(size -> size == 1);
    if (tokens > 1) {
      row.removeLast();
    }
    return row.isEmpty() ? List.of(1L) : row.reversed();
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
      case TOKENS -> add("tokens", what, null, NpyFile.Type.INT32, List.of("token"), positions);
      case ATTENTION -> attention();
      case HIDDEN -> hidden();
      case LOGITS -> {
        if (vocabulary > 0) {
          add(what, null, List.of("token", "vocabulary"), positions, vocabulary);
        } else {
          notes.add("the model has no logits");
        }
      }
      case EMBEDDING -> {
        if (pooling == null) {
          notes.add("the model makes no embedding of a text: its file names no pooling_type");
        } else if (stateWidth > 0) {
          add("embedding_pooled", what, null, NpyFile.Type.FLOAT32, List.of("width"), stateWidth);
        } else {
          notes.add("no embedding of the text: the last states were not found in the graph");
        }
      }
      case ROLLOUT -> {
        if (heads.isEmpty()) {
          notes.add("no layer has softmax attention: no rollout");
        } else {
          add(what, null, List.of("query", "key"), positions, positions);
        }
      }
      case Q, K, V, HEAD_OUTPUTS -> parts(what);
      case MLP -> hiddenLayers();
      case INDEXER, SELECTION -> selections(what);
      case TABLES -> {}
    }
  }

  private void attention() {
    var without = new TreeSet<Integer>();
    for (int layer : chosenLayers()) {
      List<Integer> chosen = chosenHeads(heads.getOrDefault(layer, 0));
      if (chosen.isEmpty()) {
        without.add(layer);
      } else {
        entries.add(
            new Entry(
                prefix + "attention_L" + layer + ".npy",
                What.ATTENTION,
                layer,
                chosen,
                NpyFile.Type.FLOAT32,
                List.of((long) chosen.size(), positions, positions),
                List.of("head", "query", "key")));
      }
    }
    if (!without.isEmpty()) {
      notes.add("no attention file for layers " + without + ": they have no softmax attention");
    }
  }

  /** Scores and selections by query and key, of layers that select keys of single tokens. */
  private void selections(What what) {
    var without = new TreeSet<>(chosenLayers());
    for (SelectedLayer layer : selecting) {
      int l = layer.layer();
      if (!layer.ofKeys() || !without.remove(l)) {
        continue;
      }
      List<String> axes = List.of("query", "key");
      if (what == What.SELECTION) {
        add("selection_L" + l, what, l, NpyFile.Type.INT32, axes, positions, positions);
        continue;
      }
      add("index_scores_L" + l, what, l, NpyFile.Type.FLOAT32, axes, positions, positions);
      if (layer.heads() > 0) {
        entries.add(
            new Entry(
                prefix + "indexer_L" + l + ".npy",
                what,
                l,
                IntStream.range(0, layer.heads()).boxed().toList(),
                NpyFile.Type.FLOAT32,
                List.of((long) layer.heads(), positions, positions),
                List.of("head", "query", "key")));
      }
    }
    if (!without.isEmpty()) {
      notes.add(
          "no %s file for layers %s: they select no keys of single tokens"
              .formatted(what, without));
    }
  }

  private List<Integer> chosenHeads(int of) {
    return IntStream.range(0, of)
        .filter(h -> wantedHeads.isEmpty() || wantedHeads.contains(h))
        .boxed()
        .toList();
  }

  /** Queries, keys, values, or what the heads make of them: {@code [token, head, width]}. */
  private void parts(What what) {
    var without = new TreeSet<Integer>();
    for (int layer : chosenLayers()) {
      long numbers = numbers(what, layer);
      long parts = of(what, layer);
      if (numbers == 0 || parts == 0 || numbers % parts != 0) {
        without.add(layer);
        continue;
      }
      boolean query = what == What.Q || what == What.HEAD_OUTPUTS;
      List<Integer> chosen =
          query ? chosenHeads((int) parts) : IntStream.range(0, (int) parts).boxed().toList();
      if (!chosen.isEmpty()) {
        entries.add(
            new Entry(
                prefix + what + "_L" + layer + ".npy",
                what,
                layer,
                chosen,
                NpyFile.Type.FLOAT32,
                List.of(positions, (long) chosen.size(), numbers / parts),
                List.of("token", query ? "head" : "kv_head", "width")));
      }
    }
    if (!without.isEmpty()) {
      notes.add(
          "no %s file for layers %s: the graph has none of single tokens and heads"
              .formatted(what, without));
    }
  }

  /** Numbers of a token at a place of a layer, 0 where it has none. */
  private long numbers(What what, int layer) {
    List<Long> row = what.site() == null ? null : rows.get(new Place(what.site(), layer));
    return row == null ? 0 : NpyFile.elements(row);
  }

  /** How many heads share them: a key is as wide as a query, a value as what a head mixes of it. */
  private long of(What what, int layer) {
    int queries = heads.getOrDefault(layer, 0);
    What twin =
        switch (what) {
          case K -> What.Q;
          case V -> What.HEAD_OUTPUTS;
          default -> what;
        };
    long width = queries == 0 ? 0 : numbers(twin, layer) / queries;
    return width == 0 ? 0 : numbers(what, layer) / width;
  }

  /** Activations of the feed-forward block, of a mixture of experts those of each chosen one. */
  private void hiddenLayers() {
    var without = new TreeSet<Integer>();
    for (int layer : chosenLayers()) {
      List<Long> row = rows.get(new Place(Site.FFN_HIDDEN, layer));
      if (row == null) {
        without.add(layer);
        continue;
      }
      var shape = new ArrayList<>(row);
      shape.addFirst(positions);
      var axes = new ArrayList<>(List.of("token", "choice", "width"));
      if (row.size() == 1) {
        axes.remove("choice");
      }
      entries.add(
          new Entry(
              prefix + "mlp_L" + layer + ".npy",
              What.MLP,
              layer,
              List.of(),
              NpyFile.Type.FLOAT32,
              List.copyOf(shape),
              axes));
    }
    if (!without.isEmpty()) {
      notes.add(
          "no mlp file for layers "
              + without
              + ": no feed-forward block was found there in the graph");
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
          List.of("token", "width"),
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
        add(
            "hidden_L" + layer,
            What.HIDDEN,
            layer,
            NpyFile.Type.FLOAT32,
            List.of("token", "width"),
            positions,
            width);
      }
    }
    if (!without.isEmpty()) {
      notes.add(
          "no hidden file for layers " + without + ": their output was not found in the graph");
    }
  }

  private void add(What what, @Nullable Integer layer, List<String> axes, long... shape) {
    add(what.toString(), what, layer, NpyFile.Type.FLOAT32, axes, shape);
  }

  private void add(
      String name,
      What what,
      @Nullable Integer layer,
      NpyFile.Type type,
      List<String> axes,
      long... shape) {
    List<Long> sizes = LongStream.of(shape).boxed().toList();
    entries.add(new Entry(prefix + name + ".npy", what, layer, List.of(), type, sizes, axes));
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
