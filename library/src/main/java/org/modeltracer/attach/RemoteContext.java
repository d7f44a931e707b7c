package org.modeltracer.attach;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.function.IntFunction;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.cache.CacheGroup;
import org.modeltracer.cache.CacheLayout;
import org.modeltracer.cache.CacheSteps;
import org.modeltracer.cache.CellMap;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.graph.Graph;
import org.modeltracer.graph.GraphNode;
import org.modeltracer.graph.ModelSurvey;
import org.modeltracer.graph.NodeTable;
import org.modeltracer.graph.SiteMap;
import org.modeltracer.graph.TokenAxis;
import org.modeltracer.kernels.Kernels;
import org.modeltracer.llama.Batch;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Op;
import org.modeltracer.llama.Tensor;
import org.modeltracer.llama.TensorImages;
import org.modeltracer.model.Place;
import org.modeltracer.model.RunningStats;
import org.modeltracer.model.Site;
import org.modeltracer.probe.ForwardProbe;
import org.modeltracer.probe.NodeDemand;
import org.modeltracer.probe.NodeValues;
import org.modeltracer.probe.PassSink;
import org.modeltracer.probe.Reduced;
import org.modeltracer.probe.Ubatch;
import org.modeltracer.tokens.GgufVocabulary;
import org.modeltracer.trace.ModelTracer;

/**
 * A context of llama.cpp in another process: its records, turned back into what the hook of a
 * context of our own would have seen, and fed to the same probe.
 */
public final class RemoteContext {
  /** Most sequences that are told apart; further ones count as the last. */
  static final int SEQUENCES = 256;

  private static final int STATISTICS = 1;
  private static final int DATA = 2;
  private static final int INPUT = 4;
  private static final int MASK = 8;
  private static final int ROWS = 16;

  private static final int PART_ROWS = 1;
  private static final int CHUNKED = 0x100;
  private static final int MOST_LAYERS = 4096;
  private static final int MOST_TOKENS = 1 << 20;
  private static final int MOST_POSITION = 1 << 24;
  private static final long MOST_STAGED = 1L << 31;

  /** What is needed of them beyond their statistics: states are compared, scores are recorded. */
  private static final Set<Site> WHOLE =
      EnumSet.of(Site.EMBEDDING, Site.LAYER_OUT, Site.LOGITS, Site.EXPERTS);

  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;
  private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED;
  private static final ValueLayout.OfDouble DOUBLE = ValueLayout.JAVA_DOUBLE_UNALIGNED;
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  /** A part of a value record that comes in pieces. */
  private record Staged(int tensor, int kind, long at, long bytes) {}

  /** The scores after a sequence's last token, of which it is not known yet what they chose. */
  private record Pending(int position, MemorySegment logits, int vocabulary) {}

  private final LlamaRuntime runtime;
  private final ModelTracer tracer;
  private final Plans plans;
  private final Set<Site> sites;
  private final Function<RemoteContext, Optional<GgufFile>> models;
  private final LaterPassWatch later;
  private final Map<Integer, RemoteGraph> graphs = new HashMap<>();
  private final List<RemoteGraph> retired = new ArrayList<>();
  private final Map<Integer, Pending> pending = new HashMap<>();
  private final Map<Integer, Integer> steps = new HashMap<>();
  private final Map<Integer, Integer> positions = new HashMap<>();
  private final Known reduced = new Known();
  private final Map<Graph, SiteMap> maps = new HashMap<>();
  private final Arena arena = Arena.ofShared();
  private final List<MemorySegment> inputs = new ArrayList<>();
  private final List<Staged> staged = new ArrayList<>();
  private MemorySegment staging = MemorySegment.NULL;
  private int stagedPart;
  private long stagedBytes;
  private int valueNode = -1;
  private @Nullable IntFunction<byte[]> pieces;
  private @Nullable ForwardProbe probe;
  private @Nullable CacheLayout layout;
  private @Nullable CacheSteps cacheSteps;
  private @Nullable RemoteGraph running;
  private @Nullable Batch batch;
  private boolean decoding;
  private boolean unknown;
  private boolean warmup;
  private int cursor;
  private int surveys;
  private int forward;
  private boolean assumed;
  private long sequence;
  private long dropped;
  private long passes;
  private @Nullable String failure;

  /** What the agent has computed of the node at hand. */
  static final class Known implements Reduced {
    private @Nullable MemorySegment statistics;
    private @Nullable MemorySegment rows;

    /** Whether the node at hand was reduced, and to what. */
    boolean reduce(RunningStats stats) {
      MemorySegment s = statistics;
      return s != null && addTo(stats, s.get(LONG, 0));
    }

    void clear() {
      statistics = rows = null;
    }

    @Override
    public boolean addTo(RunningStats stats, Tensor node) {
      return addTo(stats, node.elements());
    }

    private boolean addTo(RunningStats stats, long elements) {
      MemorySegment s = statistics;
      if (s == null || s.get(LONG, 0) != elements) {
        return false;
      }
      stats.restore(
          s.get(LONG, 0),
          s.get(LONG, 8),
          s.get(LONG, 16),
          s.get(LONG, 24),
          s.get(LONG, 40),
          s.get(DOUBLE, 48),
          s.get(DOUBLE, 56),
          s.get(DOUBLE, 64),
          s.get(DOUBLE, 72),
          s.get(DOUBLE, 80));
      return true;
    }

    @Override
    public @Nullable MemorySegment rows(Tensor fused) {
      return rows;
    }
  }

  /** Nobody listens beside the tracer. */
  private static final PassSink NOBODY =
      new PassSink() {
        @Override
        public boolean wantsStates() {
          return false;
        }

        @Override
        public boolean wantsRows(Site site) {
          return false;
        }

        @Override
        public void onState(int l, int s, int p, MemorySegment values, long offset, int width) {}

        @Override
        public void onRow(Place at, int s, int p, MemorySegment values, long offset, int width) {}

        @Override
        public void onNode(NodeValues values) {}
      };

  RemoteContext(
      LlamaRuntime runtime,
      ModelTracer tracer,
      Plans plans,
      Set<Site> sites,
      Function<RemoteContext, Optional<GgufFile>> models) {
    this.runtime = runtime;
    this.tracer = tracer;
    this.plans = plans;
    this.sites = sites;
    this.models = models;
    later = new LaterPassWatch(runtime, tracer);
    plans.heads(tracer.config()::wantsHead);
  }

  /** Takes a record; what it cannot be ends the tracing of this context, not of the program. */
  void take(RecordType type, MemorySegment record) {
    long number = record.get(LONG, 8);
    dropped += number > sequence ? number - sequence : 0;
    sequence = number + 1;
    try {
      if (failure == null) {
        dispatch(type, record);
      } else if (type == RecordType.SURVEY) {
        answer();
      }
    } catch (RuntimeException | OutOfMemoryError e) {
      fail(e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage());
      answer();
    }
  }

  private void dispatch(RecordType type, MemorySegment record) {
    if (type != RecordType.CHUNK) {
      discardStaged();
    }
    switch (type) {
      case SURVEY -> survey(record);
      case DECODE -> decode(record);
      case PASS -> pass(record);
      case VALUE -> value(record);
      case CHUNK -> chunk(record);
      case PASS_END -> passEnd();
      case DECODE_END -> decodeEnd();
      case MEMORY -> memory(record);
      case HELLO, NOTE -> {}
    }
  }

  /** Why nothing more is read of this context, null while it is. */
  public @Nullable String failure() {
    return failure;
  }

  /** Records that the program left out because there was no room. */
  public long dropped() {
    return dropped;
  }

  /** Its tracer. */
  public ModelTracer tracer() {
    return tracer;
  }

  private void fail(String reason) {
    failure = reason;
  }

  private void answer() {
    surveys++;
    plans.answered(surveys);
  }

  // ---- graphs

  private void survey(MemorySegment record) {
    int topology = record.get(INT, 16);
    if (topology < 0 || topology >= Channel.MOST_TOPOLOGIES) {
      throw new IllegalArgumentException("a graph of no known structure");
    }
    RemoteGraph fresh = new RemoteGraph(runtime, record, this::memory);
    if (fresh.graph().nodes().stream().anyMatch(node -> node.namedLayer() > MOST_LAYERS)) {
      fresh.close();
      throw new IllegalArgumentException("a model of more layers than any has");
    }
    RemoteGraph before = graphs.put(topology, fresh);
    if (before != null) {
      retired.add(before);
    }
    long parameters = parameters(fresh);
    Kernels.expect(parameters);
    plans.anyOrder(Kernels.large(parameters));
    resurvey();
    answer();
  }

  /** Parameters of the weights that a graph uses. */
  private static long parameters(RemoteGraph graph) {
    return graph.graph().nodes().stream()
        .flatMap(node -> node.sources().stream())
        .filter(GraphNode::isWeight)
        .distinct()
        .mapToLong(weight -> weight.ne().stream().reduce(1L, (a, b) -> a * b))
        .sum();
  }

  private long memory(long remote) {
    for (RemoteGraph graph : graphs.values()) {
      long here = graph.memory(remote);
      if (here != 0) {
        return here;
      }
    }
    for (RemoteGraph graph : retired) {
      long here = graph.memory(remote);
      if (here != 0) {
        return here;
      }
    }
    return 0;
  }

  /** Learns anew what all graphs together show, and tells what is wanted of each. */
  private void resurvey() {
    var axes = new NodeTable<TokenAxis>();
    List<RemoteGraph> all =
        graphs.values().stream()
            .sorted(Comparator.comparingInt(RemoteGraph::tokens).reversed())
            .toList();
    for (RemoteGraph graph : all) {
      TokenAxis.enterSizes(graph.graph(), graph.tokens(), axes);
    }
    List<Graph> models =
        all.stream()
            .map(RemoteGraph::graph)
            .filter(g -> isModel(ModelSurvey.of(List.of(g), axes)))
            .toList();
    if (models.isEmpty()) {
      return;
    }
    ModelSurvey survey = ModelSurvey.of(models, axes);
    CacheLayout caches = layout;
    if (caches == null || !caches.covers(survey)) {
      caches = new CacheLayout(survey, flatCells(all.getFirst(), survey), SEQUENCES);
      layout = caches;
      cacheSteps = new CacheSteps(caches);
    }
    ForwardProbe old = probe;
    if (old != null) {
      old.close();
    }
    var fresh =
        new ForwardProbe(runtime, survey, caches, tracer, NOBODY, () -> sites, false, reduced);
    probe = fresh;
    Batch submitted = batch;
    if (decoding && submitted != null) {
      fresh.begin(submitted, forward);
    }
    maps.clear();
    survey.maps().forEach(map -> maps.put(map.graph(), map));
    plan();
  }

  /** Tells what is wanted of each graph. */
  private void plan() {
    graphs.forEach((topology, graph) -> plans.plan(topology, plan(graph, maps.get(graph.graph()))));
  }

  /** Whether a graph is a forward pass, and not one that shifts a cache. */
  private static boolean isModel(ModelSurvey survey) {
    return survey.node(Place.LOGITS).isPresent()
        || survey.node(new Place(Site.EMBEDDING, Place.BEFORE_LAYERS)).isPresent();
  }

  /** Cells of caches that do not tell: older ones are flat, as long as all rows together. */
  private static int flatCells(RemoteGraph graph, ModelSurvey survey) {
    long most = 1;
    for (Map.Entry<GraphNode, Place> e : survey.prompt().places().entrySet()) {
      GraphNode write = e.getKey();
      if (e.getValue().site() == Site.KEY_CACHE && write.is(Op.CPY)) {
        long row = write.bytes() / Math.max(1, graph.tokens());
        most = Math.max(most, write.root().bytes() / Math.max(1, row));
      }
    }
    return Math.toIntExact(most);
  }

  private byte[] plan(RemoteGraph graph, @Nullable SiteMap map) {
    byte[] wants = new byte[graph.nodeCount()];
    if (map == null || !tracer.isEnabled()) {
      return wants;
    }
    NodeDemand.of(map, sites, tracer.config())
        .forEach((node, demand) -> wants[node.index()] = (byte) wants(node, demand));
    for (GraphNode node : map.graph().nodes()) {
      if (later.wide() && LaterPassWatch.watches(node)) {
        wants[node.index()] |= STATISTICS;
      }
    }
    return wants;
  }

  private static int wants(GraphNode node, NodeDemand demand) {
    int wants = demand.input() ? INPUT : 0;
    Site site = demand.place().site();
    if (!demand.values()) {
      return wants;
    }
    if (site == Site.ATTENTION) {
      return wants | MASK | (node.is(Op.FLASH_ATTN_EXT) ? ROWS : DATA);
    }
    return wants | (site == Site.EXPERTS ? 0 : STATISTICS) | (WHOLE.contains(site) ? DATA : 0);
  }

  // ---- batches

  private void decode(MemorySegment record) {
    decodeEnd();
    int n = record.get(INT, 16);
    if (n <= 0 || n > MOST_TOKENS || 24 + 16L * n > record.byteSize()) {
      throw new IllegalArgumentException("a batch of %d tokens".formatted(n));
    }
    warmup = record.get(INT, 20) != 0;
    Batch told = batch(n);
    for (int i = 0; i < n; i++) {
      long at = 24 + 16L * i;
      int of = Math.clamp(record.get(INT, at + 8), 0, SEQUENCES - 1);
      int position = record.get(INT, at + 4);
      if (position < 0) {
        position = positions.getOrDefault(of, 0);
      }
      if (position >= MOST_POSITION) {
        throw new IllegalArgumentException("a token at position %d".formatted(position));
      }
      positions.put(of, position + 1);
      told.add(record.get(INT, at), position, of, record.get(INT, at + 12) != 0);
    }
    unknown = false;
    begin(told);
  }

  private Batch batch(int n) {
    Batch known = batch;
    if (known == null || known.capacity() < n) {
      known = Batch.of(arena, Math.max(n, 512));
      batch = known;
    }
    return known.clear();
  }

  private void begin(Batch told) {
    decoding = true;
    if (warmup || told.size() == 0) {
      return;
    }
    follow(told);
    forward = tracer.beginForward(told.position(0), told.size());
    ForwardProbe known = probe;
    if (known != null) {
      known.begin(told, forward);
    }
  }

  /** Tokens that go on where scores were computed are those that were chosen by them. */
  private void follow(Batch told) {
    for (int i = 0; i < told.size(); i++) {
      Pending before = pending.remove(told.sequence(i));
      if (before == null) {
        continue;
      }
      boolean follows = before.position + 1 == told.position(i);
      int token = told.token(i);
      boolean chosen = follows && token >= 0 && token < before.vocabulary;
      settle(before, chosen ? token : -1);
      if (chosen) {
        int step = steps.merge(told.sequence(i), 1, Integer::sum) - 1;
        tracer.recordToken(step, token, pieces().apply(token));
      } else {
        steps.remove(told.sequence(i));
      }
    }
  }

  /** Bytes of tokens; none where the model is not known. */
  private IntFunction<byte[]> pieces() {
    IntFunction<byte[]> known = pieces;
    if (known == null) {
      Optional<GgufVocabulary> vocabulary = models.apply(this).map(GgufVocabulary::of);
      known =
          token ->
              vocabulary
                  .filter(v -> token < v.size())
                  .map(v -> v.bytes(token))
                  .orElseGet(() -> new byte[0]);
      pieces = known;
    }
    return known;
  }

  /**
   * Sizes of a weight as its graphs show it, fastest dimension first; empty while it has not been
   * seen.
   *
   * @param name such as {@code token_embd.weight}
   */
  public List<Long> weight(String name) {
    return graphs.values().stream()
        .flatMap(graph -> graph.graph().nodes().stream())
        .flatMap(node -> node.sources().stream())
        .filter(source -> source.isLeaf() && source.name().equals(name))
        .map(GraphNode::ne)
        .findFirst()
        .orElse(List.of());
  }

  /** Whether attention runs as one fused operation, whose rows the agent computes again. */
  public boolean usesFlashAttention() {
    return graphs.values().stream()
        .flatMap(graph -> graph.graph().nodes().stream())
        .anyMatch(node -> node.is(Op.FLASH_ATTN_EXT));
  }

  /** Layers that its graphs have. */
  public int layers() {
    return 1
        + graphs.values().stream()
            .flatMap(graph -> graph.graph().nodes().stream())
            .mapToInt(GraphNode::namedLayer)
            .max()
            .orElse(-1);
  }

  private void settle(Pending before, int chosen) {
    tracer.recordLogits(before.position, before.logits, 0, before.vocabulary, chosen);
  }

  private void decodeEnd() {
    if (!decoding) {
      return;
    }
    passEnd();
    decoding = false;
    ForwardProbe known = probe;
    CacheSteps state = cacheSteps;
    if (!warmup) {
      if (known != null && state != null) {
        state.record(tracer, known.accessedPositions());
      }
      Anomaly worst = tracer.endForward().orElse(null);
      if (later.end(worst, later.wide() ? models.apply(this).orElse(null) : null)) {
        plan();
        later.planned(plans.version());
      }
    }
    warmup = false;
  }

  /** What the program has done to its KV cache, in the order of {@code enum memory_op}. */
  private void memory(MemorySegment record) {
    decodeEnd();
    int of = record.get(INT, 20);
    int other = Math.clamp(record.get(INT, 24), 0, SEQUENCES - 1);
    int from = Math.clamp(record.get(INT, 28), 0, MOST_POSITION);
    int to = record.get(INT, 32);
    int end = to < 0 || to > MOST_POSITION ? CellMap.END : to;
    int delta = Math.clamp(record.get(INT, 36), -MOST_POSITION, MOST_POSITION);
    CacheLayout caches = layout;
    for (CacheGroup group : caches == null ? List.<CacheGroup>of() : caches.all()) {
      CellMap cells = group.cells();
      switch (record.get(INT, 16)) {
        case 0 -> {
          group.evict(cells.used());
          cells.clear();
        }
        case 1 -> sequences(of).forEach(s -> group.evict(cells.remove(s, from, end)));
        case 2 -> {
          if (group.streams() > 1) {
            group.evict(
                cells.copyStream(Math.clamp(of, 0, SEQUENCES - 1), other, group.streamCells()));
          } else {
            cells.copy(Math.clamp(of, 0, SEQUENCES - 1), other, from, end);
          }
        }
        case 3 ->
            sequences(-1)
                .filter(s -> s != of)
                .forEach(s -> group.evict(cells.remove(s, 0, CellMap.END)));
        case 4 -> sequences(of).forEach(s -> group.evict(cells.shift(s, from, end, delta)));
        default -> throw new IllegalArgumentException("no such operation on a cache");
      }
    }
    if (record.get(INT, 16) == 1 && end == CellMap.END) {
      sequences(of).forEach(s -> positions.computeIfPresent(s, (k, p) -> Math.min(p, from)));
    } else if (record.get(INT, 16) == 4 && end == CellMap.END) {
      sequences(of).forEach(s -> positions.computeIfPresent(s, (k, p) -> p + delta));
    }
  }

  /** The sequence of a number, all where it is negative. */
  private static IntStream sequences(int of) {
    return of < 0 ? IntStream.range(0, SEQUENCES) : IntStream.of(Math.min(of, SEQUENCES - 1));
  }

  // ---- passes

  private void pass(MemorySegment record) {
    passEnd();
    RemoteGraph graph = graphs.get(record.get(INT, 16));
    int changed = record.get(INT, 20);
    int parts = record.get(INT, 24);
    int flags = record.get(INT, 28);
    boolean known = (flags & 1) != 0;
    if (graph == null || changed < 0 || 32 + 80L * changed > record.byteSize()) {
      throw new IllegalArgumentException("a pass through no known graph");
    }
    long at = 32;
    for (int i = 0; i < changed; i++, at += 80) {
      var shape =
          new TensorImages.Shape(
              record.get(INT, at + 4),
              RemoteGraph.longs(record, at + 8),
              RemoteGraph.longs(record, at + 40),
              record.get(LONG, at + 72));
      graph.images().resize(record.get(INT, at), shape);
    }
    inputs(record, at, parts, graph);
    passes++;
    running = graph;
    cursor = 0;
    later.begin(flags >>> 1);
    boolean first = passes == 1;
    if (!known || !decoding) {
      running = null;
      decodeEnd();
      running = graph;
      unknown = true;
      Batch read = read(graph);
      warmup = read.size() == 0;
      begin(read);
    }
    if (first) {
      assumeEarlier(graph);
    }
  }

  /**
   * What a cache holds that was filled before anybody looked: where the first token seen lies in
   * the cell of its position, earlier ones of its sequence do, too.
   */
  private void assumeEarlier(RemoteGraph graph) {
    CacheLayout caches = layout;
    Batch told = batch;
    SiteMap map = maps.get(graph.graph());
    if (caches == null || told == null || map == null || told.size() == 0) {
      return;
    }
    int position = told.position(0);
    map.places()
        .forEach(
            (node, place) -> {
              Tensor write = graph.node(node.index());
              CacheGroup group = caches.at(write.viewSource());
              boolean inPlace =
                  place.site() == Site.KEY_CACHE
                      && group != null
                      && group.streams() == 1
                      && group.writtenBy(write.viewSource())
                      && position < group.cells().cells()
                      && graph.integer(write, 0, -1) == position;
              for (int p = 0; group != null && inPlace && p < position; p++) {
                group.cells().write(p, p, told.sequence(0));
              }
              assumed |= inPlace && position > 0;
            });
  }

  /** Whether earlier tokens were taken to lie in the cells of their positions. */
  public boolean assumed() {
    return assumed;
  }

  /** A batch as the graph itself shows it: nothing tells its sequences. */
  private Batch read(RemoteGraph graph) {
    int n = Math.min(graph.tokens(), MOST_TOKENS);
    Batch told = batch(Math.max(1, n));
    for (int i = 0; i < n; i++) {
      int token = -1;
      int position = -1;
      for (int k = 0; k < graph.nodeCount() && (token < 0 || position < 0); k++) {
        Tensor node = graph.node(k);
        if (node.op() == Op.GET_ROWS && token < 0) {
          token = graph.integer(node, i, -1);
        } else if (node.op() == Op.ROPE && position < 0) {
          position = graph.integer(node, i, -1);
        }
      }
      position = position < 0 ? positions.getOrDefault(0, 0) : Math.min(position, MOST_POSITION);
      positions.put(0, position + 1);
      told.add(token, position, 0, i == n - 1);
    }
    return told;
  }

  /** Takes copies: they are read until the pass ends, after the record's room was given back. */
  private void inputs(MemorySegment record, long from, int count, RemoteGraph graph) {
    long at = from;
    for (int i = 0; i < count; i++) {
      int tensor = record.get(INT, at);
      long bytes = record.get(LONG, at + 8);
      if (bytes < 0 || bytes > record.byteSize() - at - 16) {
        throw new IllegalArgumentException("values beyond their record");
      }
      MemorySegment copy = input(i, bytes);
      MemorySegment.copy(record, at + 16, copy, 0, bytes);
      graph.images().data(tensor, copy);
      at += 16 + (bytes + 7 & ~7L);
    }
  }

  private MemorySegment input(int i, long bytes) {
    while (inputs.size() <= i) {
      inputs.add(MemorySegment.NULL);
    }
    if (inputs.get(i).byteSize() < bytes) {
      inputs.set(i, arena.allocate(Math.max(64, 2 * bytes), 64));
    }
    return inputs.get(i).asSlice(0, bytes);
  }

  private void passEnd() {
    RemoteGraph graph = running;
    if (graph == null) {
      return;
    }
    advance(graph, graph.nodeCount());
    running = null;
    if (unknown) {
      unknown = false;
      decodeEnd();
    }
  }

  /** Lets nodes come by that were asked for nothing. */
  private void advance(RemoteGraph graph, int to) {
    ForwardProbe known = probe;
    for (; cursor < to; cursor++) {
      if (known != null && !warmup) {
        known.wants(graph.node(cursor));
      }
    }
  }

  // ---- values

  private void value(MemorySegment record) {
    RemoteGraph graph = running;
    int node = record.get(INT, 16);
    int parts = record.get(INT, 112);
    if (graph == null || node < cursor || node >= graph.nodeCount() || parts < 0 || parts > 8) {
      throw new IllegalArgumentException("values of a node that is not there");
    }
    reduced.clear();
    valueNode = node;
    if (record.get(INT, 20) != 0) {
      // Copied: whoever wrote them could change them between two looks.
      byte[] counts = record.asSlice(24, 88).toArray(ValueLayout.JAVA_BYTE);
      reduced.statistics = MemorySegment.ofArray(counts);
    }
    long at = 120;
    long whole = 0;
    var images = new ArrayList<Integer>();
    for (int i = 0; i < parts; i++) {
      int tensor = record.get(INT, at);
      int kind = record.get(INT, at + 4);
      long bytes = record.get(LONG, at + 8);
      if (bytes < 0 || bytes > MOST_STAGED) {
        throw new IllegalArgumentException("values of %d bytes".formatted(bytes));
      }
      at += 16;
      if ((kind & CHUNKED) != 0) {
        staged.add(new Staged(tensor, kind & ~CHUNKED, whole, bytes));
        whole += bytes + 63 & ~63L;
      } else {
        give(graph, tensor, kind, record.asSlice(at, bytes), images);
        at += bytes + 7 & ~7L;
      }
    }
    if (staged.isEmpty()) {
      observe(graph, node);
      images.forEach(graph.images()::clear);
      return;
    }
    if (whole > MOST_STAGED) {
      throw new IllegalArgumentException("values of %d bytes".formatted(whole));
    }
    if (staging.byteSize() < whole) {
      staging = arena.allocate(whole, 64);
    }
    stagedPart = 0;
    stagedBytes = 0;
  }

  /** Takes values of a node that lie in this process, and stay during the call. */
  void values(int node, Map<Integer, MemorySegment> values) {
    RemoteGraph graph = running;
    if (failure != null || graph == null || node < cursor) {
      return;
    }
    try {
      reduced.clear();
      values.forEach(graph.images()::data);
      observe(graph, node);
      values.keySet().forEach(graph.images()::clear);
    } catch (RuntimeException | OutOfMemoryError e) {
      fail(e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage());
    }
  }

  private void give(
      RemoteGraph graph, int tensor, int kind, MemorySegment values, List<Integer> images) {
    if (kind == PART_ROWS) {
      Tensor fused = graph.node(valueNode);
      if (fused.elements() / Math.max(1, fused.ne(0)) > values.byteSize() / Float.BYTES) {
        throw new IllegalArgumentException("fewer rows of attention than there are queries");
      }
      reduced.rows = values;
    } else {
      graph.images().data(tensor, values);
      images.add(tensor);
    }
  }

  private void chunk(MemorySegment record) {
    long offset = record.get(LONG, 16);
    long bytes = record.get(LONG, 24);
    RemoteGraph graph = running;
    if (graph == null || valueNode < 0 || stagedPart >= staged.size()) {
      return;
    }
    Staged target = staged.get(stagedPart);
    boolean fits =
        bytes > 0
            && offset == stagedBytes
            && bytes <= target.bytes - offset
            && bytes <= record.byteSize() - 32;
    if (!fits) {
      // A piece before this one was left out.
      discardStaged();
      return;
    }
    MemorySegment.copy(record, 32, staging, target.at + offset, bytes);
    stagedBytes += bytes;
    if (stagedBytes == target.bytes) {
      stagedPart++;
      stagedBytes = 0;
    }
    if (stagedPart == staged.size()) {
      var images = new ArrayList<Integer>();
      staged.forEach(
          part ->
              give(graph, part.tensor, part.kind, staging.asSlice(part.at, part.bytes), images));
      int node = valueNode;
      discardStaged();
      observe(graph, node);
      images.forEach(graph.images()::clear);
    }
  }

  private void discardStaged() {
    staged.clear();
    valueNode = -1;
  }

  private void observe(RemoteGraph graph, int node) {
    ForwardProbe known = probe;
    advance(graph, node);
    cursor = node + 1;
    if (known == null || warmup) {
      return;
    }
    if (later.wide()) {
      GraphNode watched = graph.graph().nodes().get(node);
      SiteMap map = maps.get(graph.graph());
      Batch told = batch;
      int position = told != null && told.size() == 1 ? told.position(0) : -1;
      later.see(watched, reduced, map == null ? -1 : map.layer(watched), position);
    }
    Tensor window = graph.node(node);
    if (known.wants(window)) {
      known.observe(window);
      if (known.place() == Site.LOGITS) {
        logits(window, known.tokens());
      }
    }
  }

  /** Scores of each token whose scores are computed. */
  private void logits(Tensor scores, Ubatch tokens) {
    if (!scores.isHost() || !scores.isContiguous()) {
      return;
    }
    Batch told = batch;
    MemorySegment values = scores.hostData();
    int vocabulary = Math.toIntExact(scores.ne(0));
    long rows = vocabulary == 0 ? 0 : scores.elements() / vocabulary;
    for (long r = 0; r < rows && told != null; r++) {
      int row = tokens.rowOf(r, true);
      if (row < 0 || tokens.position(row) < 0) {
        continue;
      }
      int of = Math.max(0, tokens.sequence(row));
      Pending earlier = pending.remove(of);
      if (earlier != null) {
        settle(earlier, -1);
      }
      float[] copy = new float[vocabulary];
      MemorySegment.copy(values, FLOAT, 4L * vocabulary * r, copy, 0, vocabulary);
      pending.put(of, new Pending(tokens.position(row), MemorySegment.ofArray(copy), vocabulary));
    }
  }

  /** Everything has been told: what was left open is closed. */
  void end() {
    if (failure == null) {
      try {
        decodeEnd();
      } catch (RuntimeException e) {
        fail(String.valueOf(e.getMessage()));
      }
    }
    pending.values().forEach(p -> settle(p, -1));
    pending.clear();
    ForwardProbe known = probe;
    if (known != null) {
      known.close();
    }
    graphs.values().forEach(RemoteGraph::close);
    retired.forEach(RemoteGraph::close);
    arena.close();
  }
}
