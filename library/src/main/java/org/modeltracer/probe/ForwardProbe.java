package org.modeltracer.probe;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.modeltracer.cache.CacheGroup;
import org.modeltracer.cache.CacheLayout;
import org.modeltracer.graph.GraphNode;
import org.modeltracer.graph.ModelSurvey;
import org.modeltracer.graph.NodeIdentity;
import org.modeltracer.graph.NodeTable;
import org.modeltracer.graph.SiteMap;
import org.modeltracer.graph.TensorData;
import org.modeltracer.graph.TokenAxis;
import org.modeltracer.llama.Batch;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Op;
import org.modeltracer.llama.Tensor;
import org.modeltracer.llama.TensorObserver;
import org.modeltracer.llama.TensorType;
import org.modeltracer.model.AttentionRow;
import org.modeltracer.model.Place;
import org.modeltracer.model.Site;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.Observation;
import org.modeltracer.trace.RowTaker;

/**
 * Carries a forward pass from the hook into the tracer, watching only what the tracer asks for.
 *
 * <p>In steady state nothing is allocated: nodes are recognised by number, statistics and rows are
 * windows that are used again.
 */
public final class ForwardProbe implements TensorObserver, RowTaker, TokenRows.Visitor {
  private static final int COMPUTED = 16;

  private final ModelTracer tracer;
  private final PassSink sink;
  private final Supplier<Set<Site>> sites;
  private final CacheLayout caches;
  private final ModelSurvey survey;
  private final NodeTable<TokenAxis> axes;
  private final NodeIdentity identity;
  private final Ubatch ubatch = new Ubatch();
  private final Observation observation = new Observation();
  private final TensorData data;
  private final Reduced reduced;
  private final AttentionReader attention;
  private final ResidualReader residual = new ResidualReader();
  private final ExpertReader experts;
  private final Tensor source;
  private final Tensor input;

  /** Whether nodes are read where their consumers are; not where others read them for us. */
  private final boolean joins;

  private final Arena arena = Arena.ofShared();
  private MemorySegment integers = MemorySegment.NULL;
  private boolean wide;
  private final boolean flagsComputed;
  private final int firstLayer;
  private final boolean separateStreams;
  private final long[] shape = new long[Tensor.DIMS];
  private final TokenRows rows = new TokenRows();
  private NodeTable<WatchedNode> table = new NodeTable<>();
  private @Nullable Set<Site> watched;
  private @Nullable RowTaker rowTap;
  private @Nullable Runnable beside;
  private @Nullable Batch batch;
  private @Nullable WatchedNode current;
  private boolean embeddingTold;
  private long graphs;
  private long nodesAsked;
  private long nodesObserved;
  private long opened;
  private long openedNode;
  private long bytesObserved;

  /**
   * A probe of a context's graphs.
   *
   * @param sink takes what its reader wants beside the tracer
   * @param sites kinds of places to watch, asked when a pass begins
   * @param forceCopy whether host tensors too are read through their backend
   */
  public ForwardProbe(
      LlamaRuntime runtime,
      ModelSurvey survey,
      CacheLayout caches,
      ModelTracer tracer,
      PassSink sink,
      Supplier<Set<Site>> sites,
      boolean forceCopy) {
    this(runtime, survey, caches, tracer, sink, sites, forceCopy, Reduced.NOTHING);
  }

  /** A probe of which part of the work is done elsewhere, else as the other. */
  public ForwardProbe(
      LlamaRuntime runtime,
      ModelSurvey survey,
      CacheLayout caches,
      ModelTracer tracer,
      PassSink sink,
      Supplier<Set<Site>> sites,
      boolean forceCopy,
      Reduced reduced) {
    this.reduced = reduced;
    this.tracer = tracer;
    this.sink = sink;
    this.sites = sites;
    this.survey = survey;
    this.caches = caches;
    identity = new NodeIdentity(runtime);
    source = new Tensor(runtime);
    input = new Tensor(runtime);
    joins = reduced == Reduced.NOTHING;
    data = new TensorData(runtime, forceCopy);
    attention = new AttentionReader(runtime, tracer, this, caches, forceCopy, reduced);
    experts = new ExpertReader(runtime, tracer, forceCopy);
    axes = survey.axes();
    firstLayer = survey.prompt().first();
    flagsComputed = survey.setsFlag(COMPUTED);
    separateStreams = caches.all().stream().anyMatch(c -> c.streams() > 1);
  }

  /** Watches what is wanted by now; an unchanged set is the same object. */
  private void watch() {
    Set<Site> wanted = sites.get();
    if (wanted == watched) {
      return;
    }
    watched = wanted;
    table = new NodeTable<>();
    var stops = new SharedStops();
    List<Map<GraphNode, WatchedNode>> graphs = new ArrayList<>();
    for (SiteMap map : survey.maps()) {
      Map<GraphNode, WatchedNode> nodes = new WatchList(map, wanted, tracer.config()).watched();
      graphs.add(nodes);
      if (joins) {
        stops.add(map, nodes);
      }
    }
    for (Map<GraphNode, WatchedNode> nodes : graphs) {
      stops.join(nodes);
      nodes.forEach(table::put);
    }
  }

  /** Sets who takes rows of attention beside the tracer; null for nobody. */
  void tapRows(@Nullable RowTaker rows) {
    rowTap = rows;
  }

  /**
   * Lets a second thread read some of the rows where there are many.
   *
   * @param room makes room for it: has threads that wait for this one give their processors back
   */
  public void readBeside(Runnable room) {
    beside = room;
  }

  /** Hands a row of attention to the tracer, and to who taps it. */
  @Override
  public void onRow(AttentionRow row, boolean learnedSink) {
    tracer.recordAttention(row, learnedSink);
    RowTaker tap = rowTap;
    if (tap != null) {
      tap.onRow(row, learnedSink);
    }
  }

  /** A batch is about to be decoded, in the pass of that number. */
  public void begin(Batch submitted, int forward) {
    batch = submitted;
    for (int i = 0; i < caches.all().size(); i++) {
      caches.all().get(i).cells().beginPass(forward);
    }
    ubatch.beginBatch(submitted);
    watch();
    table.restart();
    attention.beginStep();
  }

  @Override
  public boolean wants(Tensor node) {
    nodesAsked++;
    WatchedNode found = table.next(identity.of(node));
    if (found == null) {
      return false;
    }
    if (found.tokens) {
      beginGraph(node);
    }
    if (found.positions) {
      positions(node);
    }
    if (found.cells) {
      cells(node);
    }
    current = found;
    return found.data && computes(node);
  }

  /** Whether a node has values: branches that llama.cpp did not select have none. */
  public boolean computes(Tensor node) {
    return node.elements() > 0 && (!flagsComputed || (node.flags() & COMPUTED) != 0);
  }

  /** Tokens of the graph at hand, matched to the batch. */
  public Ubatch tokens() {
    if (batch != null) {
      ubatch.map(batch);
    }
    return ubatch;
  }

  /** Where a node of a graph counts tokens; null where nothing shows it. */
  public @Nullable TokenAxis axis(GraphNode node) {
    return axes.get(node);
  }

  /** Kind of place that was asked for last. */
  public Site place() {
    WatchedNode watched = current;
    return watched == null ? Site.OTHER : watched.place.site();
  }

  /** Number of the graph's first layer. */
  public int firstLayer() {
    return firstLayer;
  }

  /** How many graphs have begun so far. */
  public long graphs() {
    return graphs;
  }

  private void beginGraph(Tensor embedding) {
    graphs++;
    table.restart();
    residual.forget();
    attention.beginGraph();
    embeddingTold = false;
    // Usually [width, token]; some architectures look tokens up by sequence: [width, token, …].
    int rows = Math.toIntExact(embedding.elements() / embedding.ne(0));
    ubatch.begin(rows);
    if (embedding.source(1) == 0) {
      return;
    }
    source.at(embedding.source(1));
    if (source.elements() == rows) {
      readIntegers(rows);
      for (int i = 0; i < rows; i++) {
        ubatch.token(i, (int) integer(i));
      }
    }
  }

  private void positions(Tensor rope) {
    source.at(rope.source(1));
    // Multi-dimensional positions come one dimension after the other; the first is the token's.
    if (ubatch.size() <= source.elements()) {
      readIntegers(ubatch.size());
      for (int i = 0; i < ubatch.size(); i++) {
        ubatch.position(i, (int) integer(i));
      }
    }
  }

  /** Copies the first elements of the integer input {@link #source}. */
  private void readIntegers(long count) {
    wide = source.type() == TensorType.I64;
    long bytes = count * (wide ? 8 : 4);
    if (integers.byteSize() < bytes) {
      integers = arena.allocate(2 * bytes, 8);
    }
    source.read(0, integers, bytes);
  }

  /** An element of what was copied last. */
  private long integer(long i) {
    return wide
        ? integers.get(ValueLayout.JAVA_LONG, 8 * i)
        : integers.get(ValueLayout.JAVA_INT, 4 * i);
  }

  private void cells(Tensor write) {
    long root = write.viewSource();
    CacheGroup cache = caches.at(root);
    Batch submitted = batch;
    if (cache == null || !cache.writtenBy(root) || submitted == null) {
      return;
    }
    boolean indexed = write.op() == Op.SET_ROWS;
    long first = 0;
    if (indexed) {
      source.at(write.source(1));
      readIntegers(source.elements());
      if (separateStreams && !ubatch.mapped() && source.elements() == ubatch.size()) {
        for (int i = 0; i < ubatch.size(); i++) {
          ubatch.stream(i, (int) (integer(i) / cache.streamCells()));
        }
      }
    } else {
      // Older generations copy into a view: its offset, in rows, is the first cell.
      first = write.viewOffset() / (write.spanBytes() / Math.max(1, ubatch.size()));
    }
    ubatch.map(submitted);
    // A cache of something compressed takes fewer rows than there are tokens: those hold none.
    boolean tokens = !indexed || source.elements() == ubatch.size();
    long rows = indexed ? source.elements() : ubatch.size();
    int evicted = 0;
    for (int i = 0; i < rows; i++) {
      int cell = (int) (indexed ? integer(i) : first + i);
      if (!tokens || ubatch.position(i) < 0) {
        cache.cells().empty(cell);
      } else if (cache.cells().write(cell, ubatch.position(i), ubatch.sequence(i))) {
        evicted++;
      }
    }
    cache.recycle(evicted + cache.cells().purge());
  }

  @Override
  public void observe(Tensor node) {
    WatchedNode watched = current;
    Batch submitted = batch;
    if (watched == null || submitted == null) {
      return;
    }
    WatchedNode before = watched.input;
    if (before != null && computes(input.at(node.source(1)))) {
      current = before;
      observe(input, before, submitted);
      current = watched;
    }
    observe(node, watched, submitted);
  }

  private void observe(Tensor node, WatchedNode watched, Batch submitted) {
    nodesObserved++;
    Place place = watched.place;
    if (place.site() == Site.ATTENTION) {
      ubatch.map(submitted);
      CacheGroup cache = caches.ofLayer(place.layer());
      Runnable room = rowTap == null ? beside : null;
      attention.read(node, watched, ubatch, cache, room);
      return;
    }
    if (place.site() == Site.EXPERTS) {
      experts.read(node, place.layer(), watched.experts);
      return;
    }
    statistics(node, watched);
    if (sink.wantsRows(place.site())) {
      ubatch.map(submitted);
      int first = TokenRows.firstDimension(node, watched.axis, ubatch);
      if (first >= 0) {
        rows.read(node, first, opened(node), ubatch.size(), this);
      }
    }
    if (place.site() == Site.EMBEDDING && isState(node, watched.axis)) {
      residual.enter(firstLayer - 1, opened(node).values(), node);
    } else if (place.site() == Site.LAYER_OUT) {
      ubatch.map(submitted);
      if (isState(node, watched.axis)) {
        layerOut(node, watched);
      }
    }
  }

  /** The values of the node that is observed, copied out at most once. */
  TensorData opened(Tensor node) {
    if (opened != nodesObserved || openedNode != node.address()) {
      data.open(node);
      opened = nodesObserved;
      openedNode = node.address();
    }
    return data;
  }

  @Override
  public void onTokenRow(int token, MemorySegment values, long offset, int width) {
    WatchedNode watched = current;
    if (watched != null) {
      sink.onRow(
          watched.place, ubatch.sequence(token), ubatch.position(token), values, offset, width);
    }
  }

  /** Whether a tensor has one dense row for each token or each output. */
  private boolean isState(Tensor node, @Nullable TokenAxis axis) {
    return node.type() == TensorType.F32
        && node.isContiguous()
        && node.elements() / node.ne(0) == (axis == null ? 1 : axis.rows(node));
  }

  private void statistics(Tensor node, WatchedNode watched) {
    for (int d = 0; d < Tensor.DIMS; d++) {
      shape[d] = node.ne(d);
    }
    observation.of(watched.place, watched.tensor, watched.op, shape);
    if (!reduced.addTo(observation.stats(), node)) {
      data.addTo(observation.stats(), node);
      opened = nodesObserved;
      openedNode = node.address();
    }
    bytesObserved += 4 * node.elements();
    if (observation.stats().bad() && batch != null) {
      ubatch.map(batch);
      observation.position(positionOf(node, watched.axis, observation.stats().firstBad()));
    }
    tracer.recordActivation(observation);
  }

  /** Token position of the row that holds an element, -1 when it is unknown. */
  private int positionOf(Tensor node, @Nullable TokenAxis axis, long element) {
    if (axis == null) {
      return ubatch.size() == 1 ? ubatch.position(0) : -1;
    }
    int row = ubatch.rowOf(axis.row(node, element), axis.outputs());
    return row < 0 ? -1 : ubatch.position(row);
  }

  private void layerOut(Tensor node, WatchedNode watched) {
    if (!embeddingTold) {
      // The embedding is handed on late: only now are the rows of several streams distinguished.
      emit(Place.BEFORE_LAYERS, residual.state(), residual.rows(), residual.width(), false);
      embeddingTold = true;
    }
    MemorySegment values = opened(node).values();
    boolean outputs = watched.axis != null && watched.axis.outputs();
    int layer = watched.place.layer();
    residual.leave(layer, values, node, outputs, ubatch, tracer);
    emit(layer, values, node.elements() / node.ne(0), (int) node.ne(0), outputs);
  }

  private void emit(int layer, MemorySegment values, long rows, int width, boolean outputs) {
    if (!sink.wantsStates()) {
      return;
    }
    for (int r = 0; r < rows; r++) {
      int row = ubatch.rowOf(r, outputs);
      if (row >= 0 && ubatch.position(row) >= 0) {
        sink.onState(
            layer, ubatch.sequence(row), ubatch.position(row), values, 4L * width * r, width);
      }
    }
  }

  /** Cached tokens that received attention in the last batch, -1 when no row was seen. */
  public int accessedPositions() {
    return attention.accessed();
  }

  public long nodesAsked() {
    return nodesAsked;
  }

  public long nodesObserved() {
    return nodesObserved;
  }

  public long bytesObserved() {
    return bytesObserved;
  }

  /** Bytes copied out of a device's memory, what the hook reads of a graph's inputs aside. */
  public long bytesCopied() {
    return data.bytesCopied() + attention.bytesCopied() + experts.bytesCopied();
  }

  /** Visible cells that rows lack because their position was not known; 0 when exact. */
  public long droppedKeys() {
    return attention.dropped();
  }

  public void close() {
    data.close();
    attention.close();
    experts.close();
    residual.close();
    arena.close();
  }
}
