package org.modeltracer.attach;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.cache.CacheGroup;
import org.modeltracer.cache.CacheLayout;
import org.modeltracer.cache.CacheSteps;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.graph.FoundSite;
import org.modeltracer.graph.GraphNode;
import org.modeltracer.graph.ModelSurvey;
import org.modeltracer.graph.SiteMap;
import org.modeltracer.kernels.Kernels;
import org.modeltracer.llama.Batch;
import org.modeltracer.llama.CacheCall;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Op;
import org.modeltracer.llama.Tensor;
import org.modeltracer.llama.TensorImages;
import org.modeltracer.model.Place;
import org.modeltracer.model.Site;
import org.modeltracer.model.Subscription;
import org.modeltracer.probe.ForwardProbe;
import org.modeltracer.probe.Ubatch;
import org.modeltracer.session.CacheSection;
import org.modeltracer.session.Listeners;
import org.modeltracer.session.SessionListener;
import org.modeltracer.tokens.GgufVocabulary;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.SummarySection;

/**
 * A context of llama.cpp in another process: its records, turned back into what the hook of a
 * context of our own would have seen, and fed to the same probe.
 */
public final class RemoteContext {
  /** Most sequences that are told apart; further ones count as the last. */
  static final int SEQUENCES = 256;

  private static final int PART_ROWS = 1;
  private static final int MOST_TOKENS = 1 << 20;
  private static final int MOST_POSITION = 1 << 24;
  private static final long MOST_INPUTS = 1L << 31;

  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;
  private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED;
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  private final LlamaRuntime runtime;
  private final ModelTracer tracer;
  private final Plans plans;
  private final Listeners listeners;
  private final Function<RemoteContext, Optional<GgufFile>> models;
  private final Consumer<RemoteContext> known;
  private final LaterPassWatch later;
  private final RemoteModel model;
  private final RemoteTexts texts;
  private final Lookups lookups = new Lookups();
  private final AgentNumbers reduced = new AgentNumbers();
  private final Arena arena = Arena.ofShared();
  private final ArrivingValues arriving = new ArrivingValues(arena);
  private final Map<Integer, MemorySegment> inputs = new HashMap<>();
  private @Nullable IntFunction<byte[]> pieces;
  private @Nullable ModelSurvey survey;
  private @Nullable ForwardProbe probe;
  private @Nullable CacheLayout stepped;
  private @Nullable CacheSteps cacheSteps;
  private @Nullable RemoteGraph running;
  private @Nullable Batch batch;
  private @Nullable BadPass badPass;
  private boolean decoding;
  private boolean unknown;
  private boolean warmup;
  private int cursor;
  private int valueNode = -1;
  private int surveys;
  private int forward;
  private boolean assumed;
  private long sequence;
  private long inputBytes;
  private long dropped;
  private long passes;
  private @Nullable String failure;

  /** Tokens of prompts since the last step, and how many of them the cache held already. */
  private static final class Lookups implements TextFollower {
    private long tokens;
    private long held;

    private void clear() {
      tokens = held = 0;
    }

    @Override
    public void onText(int sequence, int reused, int[] prompt) {
      tokens += prompt.length;
      held += reused;
    }

    @Override
    public void onMore(int sequence, int position, int[] more) {
      tokens += more.length;
    }

    @Override
    public void onChosen(int sequence, int position, int token) {}
  }

  /**
   * A context of which nothing was told yet.
   *
   * @param sites kinds of places to watch, whoever listens
   * @param models gives the file of its model, asked when it is first needed
   * @param known called when its model is known by its graphs, before anything of it is read
   */
  RemoteContext(
      LlamaRuntime runtime,
      ModelTracer tracer,
      Plans plans,
      Set<Site> sites,
      Function<RemoteContext, Optional<GgufFile>> models,
      Consumer<RemoteContext> known) {
    this.runtime = runtime;
    this.tracer = tracer;
    this.plans = plans;
    this.models = models;
    this.known = known;
    listeners = new Listeners(sites);
    later = new LaterPassWatch(runtime, tracer);
    model = new RemoteModel(runtime);
    texts = new RemoteTexts(tracer, listeners, token -> pieces().apply(token));
    texts.follow(lookups);
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
      fail(e);
      answer();
    }
  }

  private void dispatch(RecordType type, MemorySegment record) {
    if (type != RecordType.CHUNK) {
      arriving.discard();
    }
    switch (type) {
      case SURVEY -> survey(record);
      case DECODE -> decode(record);
      case PASS -> pass(record);
      case VALUE -> value(record);
      case CHUNK -> chunk(record);
      case PASS_END -> passEnd();
      case DECODE_END -> decodeEnd();
      case MEMORY -> change(CacheOperation.read(record));
      case INPUT -> input(record);
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

  /**
   * Has a listener follow from now on what it would see of a session of our own, apart from texts,
   * nodes by their keys, and passes that could be run again.
   */
  public Subscription listen(SessionListener listener) {
    return listeners.add(listener);
  }

  /** Has somebody follow what sequences read and say. */
  public void follow(TextFollower follower) {
    texts.follow(follower);
  }

  private void fail(Throwable e) {
    failure = e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
  }

  private void answer() {
    surveys++;
    plans.answered(surveys);
  }

  // ---- graphs

  private void survey(MemorySegment record) {
    ModelSurvey shown = model.take(record);
    if (shown != null) {
      learn(shown);
    }
    long parameters = model.parameters(record.get(INT, 16));
    // After whoever listens may have opened the model's vocabulary, a model without parameters.
    Kernels.expect(parameters);
    plans.anyOrder(Kernels.large(parameters));
    answer();
  }

  private void learn(ModelSurvey shown) {
    boolean first = survey == null;
    survey = shown;
    CacheLayout caches = caches();
    if (caches != stepped) {
      stepped = caches;
      cacheSteps = new CacheSteps(caches);
    }
    if (first) {
      if (tracer.config().kvCache() && !caches.all().isEmpty()) {
        tracer.addAnalysis(SummarySection.KV_CACHE, () -> CacheSection.of(caches(), null));
      }
      known.accept(this);
    }
    ForwardProbe old = probe;
    if (old != null) {
      old.close();
    }
    var fresh =
        new ForwardProbe(
            runtime, shown, caches, tracer, listeners, listeners::sites, false, reduced);
    probe = fresh;
    Batch submitted = batch;
    if (decoding && submitted != null) {
      fresh.begin(submitted, forward);
    }
    plan();
  }

  private CacheLayout caches() {
    CacheLayout caches = model.caches();
    if (caches == null) {
      throw new IllegalStateException("no forward pass was told of yet");
    }
    return caches;
  }

  /** Tells what is wanted of each graph. */
  private void plan() {
    var wants = new Wants(listeners, listeners.sites(), tracer.config(), later.wide());
    model.each((topology, graph) -> plans.plan(topology, wants.of(graph, traced(graph))));
  }

  /** The places of a graph that is traced, null for any other. */
  private @Nullable SiteMap traced(RemoteGraph graph) {
    return tracer.isEnabled() ? model.places(graph) : null;
  }

  /** Every place of the transformer that the graphs show, in execution order; none at first. */
  public List<FoundSite> sites() {
    ModelSurvey shown = survey;
    return shown == null ? List.of() : shown.sites();
  }

  /**
   * Sizes of a weight as its graphs show it, fastest dimension first; empty while it has not been
   * seen.
   *
   * @param name such as {@code token_embd.weight}
   */
  public List<Long> weight(String name) {
    return model.weight(name);
  }

  /** Whether attention runs as one fused operation, whose rows the agent computes again. */
  public boolean usesFlashAttention() {
    return model.fuses();
  }

  /** Layers that its graphs have. */
  public int layers() {
    return model.layers();
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
      if (position >= MOST_POSITION) {
        throw new IllegalArgumentException("a token at position %d".formatted(position));
      }
      told.add(record.get(INT, at), texts.place(of, position), of, record.get(INT, at + 12) != 0);
    }
    unknown = false;
    begin(told);
  }

  private Batch batch(int n) {
    Batch before = batch;
    if (before == null || before.capacity() < n) {
      before = Batch.of(arena, Math.max(n, 512));
      batch = before;
    }
    return before.clear();
  }

  private void begin(Batch told) {
    decoding = true;
    if (warmup || told.size() == 0) {
      return;
    }
    texts.decoded(told);
    forward = tracer.beginForward(told.position(0), told.size());
    ForwardProbe now = probe;
    if (now != null) {
      now.begin(told, forward);
    }
  }

  /** Bytes of tokens; none where the model is not known. */
  private IntFunction<byte[]> pieces() {
    IntFunction<byte[]> found = pieces;
    if (found == null) {
      Optional<GgufVocabulary> vocabulary = models.apply(this).map(GgufVocabulary::of);
      found =
          token ->
              vocabulary
                  .filter(v -> token < v.size())
                  .map(v -> v.bytes(token))
                  .orElseGet(() -> new byte[0]);
      pieces = found;
    }
    return found;
  }

  private void decodeEnd() {
    if (!decoding) {
      return;
    }
    passEnd();
    decoding = false;
    ForwardProbe now = probe;
    CacheSteps state = cacheSteps;
    if (!warmup) {
      if (now != null && state != null) {
        state.looked(lookups.tokens, lookups.held);
        lookups.clear();
        state.record(tracer, now.accessedPositions());
      }
      Anomaly worst = tracer.endForward().orElse(null);
      Batch told = batch;
      if (badPass == null && worst != null && LaterPassWatch.numeric(worst) && told != null) {
        badPass = BadPass.of(worst, told, texts);
      }
      if (later.end(worst, later.wide() ? models.apply(this).orElse(null) : null)) {
        plan();
        later.planned(plans.version());
      }
    }
    warmup = false;
  }

  /** The first pass with bad values, which can be run again elsewhere; empty where none was. */
  public Optional<BadPass> badPass() {
    return Optional.ofNullable(badPass);
  }

  /** The program has done something to its cache. */
  void changed(CacheOperation operation) {
    try {
      if (failure == null) {
        change(operation);
      }
    } catch (RuntimeException e) {
      fail(e);
    }
  }

  private void change(CacheOperation operation) {
    decodeEnd();
    CacheLayout caches = model.caches();
    boolean streams = caches != null && caches.all().stream().anyMatch(c -> c.streams() > 1);
    if (!streams || operation.kind() != CacheCall.KEEP) {
      texts.changing(operation);
    }
    if (caches != null) {
      operation.applyTo(caches);
    }
  }

  // ---- passes

  private void pass(MemorySegment record) {
    passEnd();
    RemoteGraph graph = model.graph(record.get(INT, 16));
    int changed = record.get(INT, 20);
    int parts = record.get(INT, 24);
    int flags = record.get(INT, 28);
    boolean told = (flags & 1) != 0;
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
    if (!told || !decoding) {
      running = null;
      decodeEnd();
      running = graph;
      unknown = true;
      Batch read = read(graph);
      warmup = read.size() == 0;
      begin(read);
    }
  }

  /**
   * What a cache holds that was filled before anybody looked: where the first token seen lies in
   * the cell of its position, earlier ones of its sequence do, too.
   */
  private void assumeEarlier(RemoteGraph graph, int node) {
    CacheLayout caches = model.caches();
    Batch told = batch;
    SiteMap places = model.places(graph);
    if (caches == null || told == null || places == null || told.size() == 0) {
      return;
    }
    Place place = places.places().get(graph.graph().nodes().get(node));
    Tensor write = graph.node(node);
    CacheGroup group = caches.at(write.viewSource());
    int position = told.position(0);
    boolean inPlace =
        place != null
            && place.site() == Site.KEY_CACHE
            && group != null
            && group.streams() == 1
            && group.writtenBy(write.viewSource())
            && position < group.cells().cells()
            && graph.integer(write, 0, -1) == position;
    for (int p = 0; group != null && inPlace && p < position; p++) {
      group.cells().write(p, p, told.sequence(0));
    }
    assumed |= inPlace && position > 0;
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
      told.add(token, texts.place(0, Math.min(position, MOST_POSITION)), 0, i == n - 1);
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
      graph.images().data(tensor, kept(tensor, record.asSlice(at + 16, bytes)));
      at += 16 + (bytes + 7 & ~7L);
    }
  }

  /** An input that a device has just been given, of a node that comes next. */
  private void input(MemorySegment record) {
    RemoteGraph graph = running;
    long bytes = record.get(LONG, 24);
    if (graph == null || bytes < 0 || bytes > record.byteSize() - 32) {
      throw new IllegalArgumentException("values beyond their record");
    }
    int tensor = record.get(INT, 16);
    if (bytes > 0) {
      graph.images().data(tensor, kept(tensor, record.asSlice(32, bytes)));
    }
  }

  private MemorySegment kept(int tensor, MemorySegment values) {
    long bytes = values.byteSize();
    MemorySegment room = inputs.getOrDefault(tensor, MemorySegment.NULL);
    if (room.byteSize() < bytes) {
      room = arena.allocate(Math.max(64, 2 * bytes), 64);
      inputs.put(tensor, room);
      inputBytes += room.byteSize();
      if (inputBytes > MOST_INPUTS) {
        throw new IllegalArgumentException("inputs of %d bytes".formatted(inputBytes));
      }
    }
    return room.asSlice(0, bytes).copyFrom(values);
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
    ForwardProbe now = probe;
    for (; cursor < to; cursor++) {
      if (now != null && !warmup) {
        wants(graph, cursor, now);
      }
    }
  }

  private boolean wants(RemoteGraph graph, int node, ForwardProbe by) {
    if (passes == 1) {
      assumeEarlier(graph, node);
    }
    return by.wants(graph.node(node));
  }

  // ---- values

  private void value(MemorySegment record) {
    RemoteGraph graph = running;
    int node = record.get(INT, 16);
    if (graph == null || node < cursor || node >= graph.nodeCount()) {
      throw new IllegalArgumentException("values of a node that is not there");
    }
    reduced.clear();
    valueNode = node;
    if (record.get(INT, 20) != 0) {
      // Copied: whoever wrote them could change them between two looks.
      reduced.statistics(record.asSlice(24, 88).toArray(ValueLayout.JAVA_BYTE));
    }
    if (arriving.begin(record, record.get(INT, 112), 120)) {
      arrived(graph, node);
    }
  }

  private void chunk(MemorySegment record) {
    RemoteGraph graph = running;
    if (graph != null && arriving.chunk(record)) {
      arrived(graph, valueNode);
    }
  }

  /** All values of a node are there. */
  private void arrived(RemoteGraph graph, int node) {
    var images = new ArrayList<Integer>();
    for (ArrivingValues.Part part : arriving.parts()) {
      if (part.kind() == PART_ROWS) {
        reduced.rows(checked(graph.node(node), part.values()));
      } else {
        graph.images().data(part.tensor(), part.values());
        images.add(part.tensor());
      }
    }
    arriving.discard();
    observe(graph, node);
    images.forEach(graph.images()::clear);
  }

  private static MemorySegment checked(Tensor fused, MemorySegment rows) {
    if (fused.elements() / Math.max(1, fused.ne(0)) > rows.byteSize() / Float.BYTES) {
      throw new IllegalArgumentException("fewer rows of attention than there are queries");
    }
    return rows;
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
      fail(e);
    }
  }

  private void observe(RemoteGraph graph, int node) {
    ForwardProbe now = probe;
    advance(graph, node);
    cursor = node + 1;
    if (now == null || warmup) {
      return;
    }
    if (later.wide()) {
      GraphNode watched = graph.graph().nodes().get(node);
      SiteMap places = model.places(graph);
      Batch told = batch;
      int position = told != null && told.size() == 1 ? told.position(0) : -1;
      later.see(watched, reduced, places == null ? -1 : places.layer(watched), position);
    }
    if (wants(graph, node, now)) {
      Tensor window = graph.node(node);
      now.observe(window);
      if (now.place() == Site.LOGITS) {
        logits(window, now.tokens());
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
      if (row >= 0 && tokens.position(row) >= 0) {
        float[] copy = new float[vocabulary];
        MemorySegment.copy(values, FLOAT, 4L * vocabulary * r, copy, 0, vocabulary);
        texts.scored(Math.max(0, tokens.sequence(row)), tokens.position(row), copy);
      }
    }
  }

  /** Everything has been told: what was left open is closed. */
  void end() {
    if (failure == null) {
      try {
        decodeEnd();
      } catch (RuntimeException e) {
        fail(e);
      }
    }
    texts.end();
    ForwardProbe now = probe;
    if (now != null) {
      now.close();
    }
    model.close();
    arena.close();
  }
}
