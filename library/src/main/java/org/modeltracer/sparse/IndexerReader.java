package org.modeltracer.sparse;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.modeltracer.graph.GraphNode;
import org.modeltracer.graph.ModelSurvey;
import org.modeltracer.graph.NodeIdentity;
import org.modeltracer.graph.NodeTable;
import org.modeltracer.graph.SiteMap;
import org.modeltracer.graph.TensorData;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Op;
import org.modeltracer.llama.Tensor;
import org.modeltracer.llama.TensorObserver;
import org.modeltracer.session.RunningPass;
import org.modeltracer.session.TracedSession;

/**
 * Reads index scores, selections and attention over all keys out of the graphs of a sequence.
 *
 * <p>Everything is copied in the data phase of the node that makes it; the attention over all keys
 * is computed when the attention over the selected ones has been.
 */
final class IndexerReader implements TensorObserver {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;

  /** Takes queries as they are read. */
  interface Sink {
    /** Whether attention over all keys is wanted. */
    default boolean wantsAttention() {
      return true;
    }

    /** All layers of a graph's queries follow. */
    default void beginGraph(int queries) {}

    /** A layer's queries follow. */
    default void beginLayer(
        SparseLayer layer, @Nullable IndexVectors vectors, int[] cellPositions) {}

    /** Attention of a head over all keys that a query sees, which comes before the query. */
    default void onHead(IndexedQuery query, int head, float[] weights) {}

    /** A query; to be read during the call only. */
    void onQuery(IndexedQuery query);

    /** A query that is not measured: it tests nothing, or there is no time for it. */
    default void onPassedOver(SparseLayer layer, boolean exercised) {}

    /** That was all of a layer. */
    default void endLayer(SparseLayer layer) {}
  }

  /** What a node is there for. */
  private sealed interface Role {
    record Index(Selector selector) implements Role {}

    record IndexProducts(Selector selector) implements Role {}

    record Weighted(Selector selector) implements Role {}

    record Turn(Selector selector) implements Role {}

    record Score(Selector selector) implements Role {}

    record Chosen(Selector selector) implements Role {}

    record Products(Attended layer) implements Role {}

    record Attention(Attended layer) implements Role {}
  }

  /** A selection in the graph at hand. */
  private static final class Selector {
    private final List<SparseLayer> layers = new ArrayList<>();
    private final IndexVectors vectors = new IndexVectors();
    private float[] scores = {};
    private int[] chosen = {};
    private int cells;
    private int queries;
    private int groups = 1;
    private int k;
    private boolean scored;
    private boolean indexed;
    private int tokensOfKey = 1;
  }

  /** A layer's queries in the graph at hand. */
  private static final class Attended {
    private final SparseLayer layer;
    private final Selector selector;
    private final Vectors queries = new Vectors();

    Attended(SparseLayer layer, Selector selector) {
      this.layer = layer;
      this.selector = selector;
    }
  }

  private final RunningPass pass;
  private final Sink sink;
  private final NodeIdentity identity;
  private final NodeTable<List<Role>> table = new NodeTable<>();
  private final TensorData data;
  private final Tensor source;
  private final DenseAttention dense;
  private final IndexedQuery query = new IndexedQuery();
  private final DenseAttention.Heads heads;
  private final List<SparseLayer> layers;
  private final Allowance allowance;
  private final double costOfKey;
  private final double costOfCell;
  private int[] cellPositions = {};
  private boolean[] measured = {};
  private List<Role> current = List.of();
  private long graph = -1;
  private int mostSelected;
  private boolean asked;
  private boolean measures;
  private boolean begun;

  /**
   * A reader of a session's graphs.
   *
   * @param allowance what it may spend on attention over all keys; queries beyond that are counted
   *     only
   */
  IndexerReader(TracedSession session, Allowance allowance, Sink sink) {
    LlamaRuntime runtime = session.context().model().runtime();
    ModelSurvey survey = session.survey();
    pass = session.running();
    this.sink = sink;
    this.allowance = allowance;
    heads = (head, weights) -> sink.onHead(query, head, weights);
    identity = new NodeIdentity(runtime);
    data = new TensorData(runtime, false);
    source = new Tensor(runtime);
    dense = new DenseAttention(runtime);
    layers = SparseLayer.of(survey.prompt());
    costOfKey = layers.stream().mapToDouble(SparseLayer::costOfKey).sum();
    costOfCell = layers.stream().mapToDouble(SparseLayer::costOfCell).sum();
    for (SiteMap map : survey.maps()) {
      enter(SparseLayer.of(map));
    }
  }

  private void enter(List<SparseLayer> found) {
    Map<GraphNode, List<Role>> roles = new HashMap<>();
    Map<GraphNode, Selector> selectors = new HashMap<>();
    for (SparseLayer layer : found) {
      Selector selector = selectors.get(layer.topK());
      if (selector == null) {
        selector = new Selector();
        selectors.put(layer.topK(), selector);
        add(roles, layer.topK(), new Role.Chosen(selector));
        add(roles, layer.score(), new Role.Score(selector));
        if (layer.index() != null && layer.weighted() != null) {
          add(roles, layer.index(), new Role.IndexProducts(selector));
          add(roles, layer.weighted(), new Role.Weighted(selector));
        } else if (layer.index() != null) {
          add(roles, layer.index(), new Role.Index(selector));
        }
        if (layer.turned() != null) {
          add(roles, layer.turned(), new Role.Turn(selector));
        }
      }
      selector.layers.add(layer);
      var attended = new Attended(layer, selector);
      if (layer.products() != null && layer.unreadable() == null && sink.wantsAttention()) {
        add(roles, layer.products(), new Role.Products(attended));
      }
      add(roles, layer.attention(), new Role.Attention(attended));
    }
    roles.forEach(table::put);
  }

  private static void add(Map<GraphNode, List<Role>> roles, GraphNode node, Role role) {
    roles.computeIfAbsent(node, n -> new ArrayList<>()).add(role);
  }

  /** Layers that attend to selected keys, ascending. */
  List<SparseLayer> layers() {
    return layers;
  }

  @Override
  public boolean wants(Tensor node) {
    if (pass.graph() != graph) {
      graph = pass.graph();
      table.restart();
      begun = false;
      asked = false;
    }
    List<Role> roles = table.next(identity.of(node));
    boolean known = roles != null && pass.computes(node);
    current = roles == null || !known || !wants(roles.getFirst()) ? List.of() : roles;
    return !current.isEmpty();
  }

  /** Of a graph that is not measured, how many keys are selected is all that is looked at. */
  private boolean wants(Role role) {
    if (!asked) {
      asked = true;
      int last = pass.position(pass.tokensOfGraph() - 1L, false);
      boolean exercised = last < 0 || last + 1 > mostSelected;
      measures = allowance.unlimited() || exercised && allowance.covers(pass.tokensOfGraph());
    }
    return measures || role instanceof Role.Chosen;
  }

  @Override
  public void observe(Tensor node) {
    for (Role role : current) {
      switch (role) {
        case Role.Index(Selector selector) -> {
          selector.vectors.read(node, source, data);
          selector.indexed = true;
        }
        case Role.IndexProducts(Selector selector) ->
            selector.vectors.readProducts(node, source, data);
        case Role.Weighted(Selector selector) -> {
          selector.vectors.readWeighted(node, source, data);
          selector.indexed = true;
        }
        case Role.Turn(Selector selector) -> selector.vectors.readTurn(node, source, data);
        case Role.Score(Selector selector) -> score(selector, node);
        case Role.Chosen(Selector selector) -> chosen(selector, node);
        case Role.Products(Attended layer) -> {
          // Keys that are put together for this product do not outlast it.
          dense.readKeys(node.source(0));
          layer.queries.read(source.at(node.source(1)), 2, data);
        }
        case Role.Attention(Attended layer) -> attention(layer, node);
      }
    }
  }

  /** Copies scores, {@code [query, group, place]}. */
  private void score(Selector to, Tensor node) {
    boolean blocks = to.layers.getFirst().blocks();
    to.cells = (int) node.ne(0);
    to.queries = (int) node.ne(blocks ? 2 : 1);
    to.groups = blocks ? (int) node.ne(1) : 1;
    to.scored = node.ne(3) == 1 && (blocks || node.ne(2) == 1);
    int rows = to.queries * to.groups;
    if (to.scores.length < to.cells * rows) {
      to.scores = new float[to.cells * rows];
    }
    data.open(node);
    for (int r = 0; r < rows && to.scored; r++) {
      MemorySegment row = data.floats(r * node.nb(1), to.cells);
      MemorySegment.copy(row, FLOAT, data.rowOffset(), to.scores, r * to.cells, to.cells);
    }
  }

  private void chosen(Selector to, Tensor node) {
    boolean blocks = to.layers.getFirst().blocks();
    to.k = (int) node.ne(0);
    mostSelected = Math.max(mostSelected, to.k);
    if (!measures) {
      passOver(to, (int) node.ne(blocks ? 2 : 1));
      return;
    }
    int rows = (int) (node.ne(1) * node.ne(2));
    if (to.chosen.length < to.k * rows) {
      to.chosen = new int[to.k * rows];
    }
    MemorySegment values = data.open(node);
    for (int r = 0; r < rows; r++) {
      MemorySegment.copy(values, INT, r * node.nb(1), to.chosen, r * to.k, to.k);
    }
  }

  private void passOver(Selector selector, int queries) {
    for (int q = 0; q < queries && queries == pass.tokensOfGraph(); q++) {
      int position = pass.position(q, false);
      boolean exercised = exercised(selector, position);
      if (exercised && !begun) {
        allowance.earn();
      }
      for (SparseLayer layer : position < 0 ? List.<SparseLayer>of() : selector.layers) {
        sink.onPassedOver(layer, exercised);
      }
    }
    begun = true;
  }

  /** Whether a query sees more than is selected, as far as its position tells. */
  private static boolean exercised(Selector selector, int position) {
    boolean blocks = selector.layers.getFirst().blocks();
    return blocks
        ? position + 1 > selector.k * selector.tokensOfKey
        : (position + 1) / selector.tokensOfKey > selector.k;
  }

  private void attention(Attended of, Tensor node) {
    Selector selector = of.selector;
    if (!selector.scored || selector.queries != pass.tokensOfGraph()) {
      return;
    }
    boolean first = !begun;
    if (first) {
      sink.beginGraph(selector.queries);
      choose(selector);
      begun = true;
    }
    boolean readable = of.layer.unreadable() == null && sink.wantsAttention();
    boolean fused = node.op() == Op.FLASH_ATTN_EXT;
    if (readable) {
      if (fused) {
        of.queries.read(source.at(node.source(0)), 2, data);
        dense.readKeys(node.source(1));
      }
      dense.open(node, of.queries, of.layer.compressed() ? dense.keys() - selector.cells : 0);
    }
    int cells = of.layer.blocks() ? (int) source.at(node.source(1)).ne(1) : selector.cells;
    positions(of.layer, cells);
    IndexVectors vectors = selector.indexed ? selector.vectors : null;
    sink.beginLayer(of.layer, vectors, cellPositions);
    query.reserve(cells, vectors == null ? 0 : vectors.heads());
    for (int r = 0; r < selector.queries * selector.groups; r++) {
      int q = r / selector.groups;
      int group = r % selector.groups;
      int position = pass.position(q, false);
      boolean known =
          position >= 0
              && (of.layer.blocks()
                  ? fillBlocks(of.layer, selector, r, position)
                  : fill(of.layer, selector, q, position));
      if (!known) {
        continue;
      }
      if (!measured[q] || !query.exercised() && !allowance.unlimited()) {
        sink.onPassedOver(of.layer, query.exercised());
        continue;
      }
      boolean attends = readable && query.exercised();
      query.attention =
          attends ? dense.mean(q, group, selector.groups, query.cells, query.keys, heads) : null;
      if (vectors != null) {
        vectors.headScores(q, query.cells, query.keys, query.headScores);
      }
      sink.onQuery(query);
    }
    sink.endLayer(of.layer);
  }

  /** Chooses the queries of a graph that are measured, the same ones in all layers. */
  private void choose(Selector selector) {
    if (measured.length < selector.queries) {
      measured = new boolean[selector.queries];
    }
    boolean any = false;
    for (int q = 0; q < selector.queries; q++) {
      int keys = pass.position(q, false) + 1;
      measured[q] = allowance.covers(0);
      if (exercised(selector, keys - 1)) {
        allowance.earn();
        allowance.spend(measured[q] ? keys * costOfKey : 0);
        any |= measured[q];
      }
    }
    allowance.spend(any ? selector.cells * costOfCell : 0);
  }

  /** Of compressed keys, which stand for several tokens, the cell is the place. */
  private void positions(SparseLayer layer, int cells) {
    if (cellPositions.length != cells) {
      cellPositions = new int[cells];
    }
    for (int c = 0; c < cells; c++) {
      RunningPass.Cell cell = layer.compressed() ? null : pass.cell(layer.layer(), c);
      cellPositions[c] = layer.compressed() ? c : cell == null ? -1 : cell.position();
    }
  }

  /** Moves the window to a query; false when a key it sees is at no known position. */
  private boolean fill(SparseLayer layer, Selector selector, int q, int position) {
    query.layer = layer.layer();
    query.position = position;
    query.row = q;
    query.k = selector.k;
    int n = 0;
    for (int c = 0; c < selector.cells; c++) {
      if (selector.scores[q * selector.cells + c] == Float.NEGATIVE_INFINITY) {
        continue;
      }
      if (cellPositions[c] < 0) {
        return false;
      }
      query.cells[n++] = c;
    }
    query.keys = n;
    if (layer.compressed() && n > 0) {
      query.position = n - 1;
      selector.tokensOfKey = Math.max(1, (position + 1) / n);
    }
    query.sort(cellPositions);
    for (int i = 0; i < n; i++) {
      query.positions[i] = cellPositions[query.cells[i]];
      query.scores[i] = selector.scores[q * selector.cells + query.cells[i]];
      query.selected[i] = false;
    }
    query.select(selector.chosen, q * selector.k, selector.k);
    return n > 0;
  }

  /**
   * Moves the window to a query of a group of heads, which sees all keys up to its own position and
   * selects blocks of them. A block is of as many positions as there are cells for each.
   */
  private boolean fillBlocks(SparseLayer layer, Selector selector, int row, int position) {
    int size = cellPositions.length / selector.cells;
    query.layer = layer.layer();
    query.position = position;
    query.row = row / selector.groups;
    query.k = selector.k * size;
    selector.tokensOfKey = size;
    int n = 0;
    for (int c = 0; c < cellPositions.length; c++) {
      if (cellPositions[c] >= 0 && cellPositions[c] <= position) {
        query.cells[n++] = c;
      }
    }
    query.keys = n;
    query.sort(cellPositions);
    for (int i = 0; i < n; i++) {
      query.positions[i] = cellPositions[query.cells[i]];
      int block = query.positions[i] / size;
      query.scores[i] = selector.scores[row * selector.cells + block];
      query.selected[i] = false;
      for (int j = 0; j < selector.k; j++) {
        query.selected[i] |= selector.chosen[row * selector.k + j] == block;
      }
    }
    return n > 0;
  }

  void close() {
    data.close();
    dense.close();
  }
}
