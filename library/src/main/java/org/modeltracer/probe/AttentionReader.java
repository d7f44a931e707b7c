package org.modeltracer.probe;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.function.IntPredicate;
import org.jspecify.annotations.Nullable;
import org.modeltracer.cache.AccessedPositions;
import org.modeltracer.cache.CacheGroup;
import org.modeltracer.cache.CacheLayout;
import org.modeltracer.cache.CellMap;
import org.modeltracer.cache.RowKeys;
import org.modeltracer.graph.TensorData;
import org.modeltracer.kernels.Lanes;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Op;
import org.modeltracer.llama.Tensor;
import org.modeltracer.model.AttentionRow;
import org.modeltracer.trace.LayerRows;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.RowTaker;

/**
 * Rows of attention from a layer's attention node, by token position.
 *
 * <p>Where the node is a softmax its rows are read; where it is a fused operation they are computed
 * again from its inputs. Either way only keys that the mask lets the query see are part of a row,
 * and a row of which one key's position is not known is left out.
 *
 * <p>Heads are in two lanes. Where a layer has much to read, two threads take a lane each.
 */
final class AttentionReader implements LayerRows {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
  private static final int SINKS = 2;

  /** Weights of a layer from which on a second thread gains more than it costs to wake it. */
  private static final long WORTH_TWO = 100_000;

  private final ModelTracer tracer;
  private final IntPredicate wanted;
  private final RowTaker taker;
  private final Tensor source;
  private final Tensor keySource;
  private final Tensor cacheView;
  private final TensorData weights;
  private final FlashRows flash;
  private final Reduced reduced;
  private final AttentionMask mask;
  private final Lane[] lanes = new Lane[Lanes.COUNT];

  // The node at hand.
  private @Nullable CacheGroup cache;
  private @Nullable CellMap cells;
  private Ubatch ubatch = new Ubatch();
  private MemorySegment values = MemorySegment.NULL;
  private boolean known;
  private boolean recomputed;
  private boolean learnedSink;
  private boolean outputs;
  private int layer;
  private int heads;
  private int groups;
  private int queries;
  private int rows;
  private int keyCount;
  private final long[] strides = new long[Tensor.DIMS];

  /** Some of the heads, which share nothing that changes with the others. */
  private final class Lane {
    private final QueryView view = new QueryView(mask);
    private final FlashScores scores = new FlashScores(flash);
    private final AccessedPositions accessed;
    private final AttentionRow row;
    private float[] scratch = {};
    private MemorySegment scratchSegment = MemorySegment.ofArray(scratch);
    private int from;
    private int to;

    Lane(int number, AccessedPositions accessed) {
      this.accessed = accessed;
      row = new AttentionRow(number);
    }

    /** Begins with some heads of the node at hand. */
    void open(int fromHead, int toHead) {
      from = fromHead;
      to = toHead;
      view.reserve(keyCount);
      if (scratch.length < keyCount) {
        scratch = new float[keyCount];
        scratchSegment = MemorySegment.ofArray(scratch);
      }
      if (recomputed) {
        scores.open(from, to);
      }
    }

    /** Hands on the rows of a query, of which {@code seen} says what it sees. */
    void rows(int query, QueryView seen, RowTaker taker) {
      int q = query % queries;
      int token = ubatch.rowOf(query, outputs);
      boolean sees = false;
      for (int h = from; h < to; h++) {
        int inner = h % heads;
        int slice = groups > 1 ? h / heads : query / queries;
        if (h == from && seen == view || inner == 0 && groups > 1 || mask.differsByHead()) {
          sees = look(seen, q, inner, slice);
        } else if (h == from) {
          sees = seen.complete();
        }
        if (!sees || ubatch.position(token) < 0 || !wanted.test(h)) {
          continue;
        }
        if (known) {
          gather(
              h, token, seen, 4 * (((long) slice * heads + inner) * queries + q) * keyCount, taker);
        } else if (recomputed) {
          scores.row(inner, q, slice, seen, scratch);
          hand(h, token, seen, scratchSegment, 0, taker);
        } else {
          gather(h, token, seen, q * strides[1] + inner * strides[2] + slice * strides[3], taker);
        }
      }
    }

    private void gather(int head, int token, QueryView seen, long offset, RowTaker taker) {
      RowKeys keys = seen.keys();
      if (keys.adjacent()) {
        hand(head, token, seen, values, offset + 4L * keys.cell(0), taker);
        return;
      }
      for (int i = 0; i < keys.size(); i++) {
        scratch[i] = values.get(FLOAT, offset + 4L * keys.cell(i));
      }
      hand(head, token, seen, scratchSegment, 0, taker);
    }

    private void hand(
        int head, int token, QueryView seen, MemorySegment from, long offset, RowTaker taker) {
      RowKeys keys = seen.keys();
      int sequence = ubatch.sequence(token);
      int position = ubatch.position(token);
      row.at(layer, head, sequence, position, keys.positions(), keys.size(), from, offset);
      taker.onRow(row, learnedSink);
      CellMap map = cells;
      if (map != null) {
        accessed.add(row, keys, map, seen.firstCell());
      }
    }
  }

  AttentionReader(
      LlamaRuntime runtime,
      ModelTracer tracer,
      RowTaker taker,
      CacheLayout caches,
      boolean forceCopy,
      Reduced reduced) {
    this.tracer = tracer;
    wanted = tracer.config()::wantsHead;
    this.reduced = reduced;
    this.taker = taker;
    source = new Tensor(runtime);
    keySource = new Tensor(runtime);
    cacheView = new Tensor(runtime);
    weights = new TensorData(runtime, forceCopy);
    flash = new FlashRows(runtime, forceCopy);
    mask = new AttentionMask(runtime, forceCopy);
    for (int i = 0; i < lanes.length; i++) {
      lanes[i] = new Lane(i, new AccessedPositions(caches, tracer.config().weightThreshold()));
    }
  }

  /**
   * Hands on all wanted rows of an attention node.
   *
   * @param keysIn the layer's key cache, or null where keys are the tokens themselves
   * @param beside makes room for a second thread; null where one thread is to read everything
   */
  void read(
      Tensor node,
      WatchedNode watched,
      Ubatch tokens,
      @Nullable CacheGroup keysIn,
      @Nullable Runnable beside) {
    if (!open(node, watched, tokens, keysIn)) {
      return;
    }
    int all = heads * groups;
    int split =
        recomputed && flash.keyHeads() > 1 ? flash.keyHeads() / 2 * flash.group() : (all + 1) / 2;
    lanes[0].open(0, split);
    lanes[1].open(split, all);
    if (beside != null && worthTwo(all)) {
      beside.run();
      if (recomputed) {
        flash.readKeys();
      }
      tracer.recordAttention(layer, all, this);
      return;
    }
    QueryView view = lanes[0].view;
    for (int i = 0; i < rows; i++) {
      lanes[0].rows(i, view, taker);
      lanes[1].rows(i, view, taker);
    }
  }

  @Override
  public void read(int number, RowTaker laneTaker) {
    Lane lane = lanes[number];
    for (int i = 0; i < rows; i++) {
      lane.rows(i, lane.view, laneTaker);
    }
  }

  private boolean open(
      Tensor node, WatchedNode watched, Ubatch tokens, @Nullable CacheGroup keysIn) {
    cache = keysIn;
    cells = keysIn == null ? null : keysIn.cells();
    ubatch = tokens;
    boolean fused = watched.fused;
    layer = watched.place.layer();
    heads = (int) node.ne(fused ? 1 : 2);
    queries = (int) node.ne(fused ? 2 : 1);
    int outer = (int) node.ne(3);
    outputs = watched.axis != null && watched.axis.outputs();
    rows = outputs ? ubatch.outputs() : ubatch.size();
    // The last dimension counts streams, with a part of the tokens each; in block-sparse attention
    // it counts groups of heads, which see them all.
    groups = queries * outer == rows ? 1 : outer;
    if (rows != queries * outer / groups) {
      return false;
    }
    keySource.at(fused ? node.source(1) : keysOf(node));
    keyCount = (int) keySource.ne(1);
    MemorySegment reducedRows = fused ? reduced.rows(node) : null;
    known = reducedRows != null;
    recomputed = fused && !known;
    learnedSink = node.source(fused ? FlashRows.SINKS : SINKS) != 0;
    if (reducedRows != null) {
      values = reducedRows;
    } else if (fused) {
      flash.open(node, groups > 1 ? null : wanted);
    } else {
      values = weights.open(node, groups > 1 ? null : wanted);
      for (int d = 0; d < Tensor.DIMS; d++) {
        strides[d] = node.nb(d);
      }
    }
    mask.open(node.source(fused ? 3 : 1));
    findCache();
    return true;
  }

  /**
   * Whether two threads are to read: there is much, all listeners can, and queries see no later
   * keys, as the first shows.
   */
  private boolean worthTwo(int all) {
    if ((long) rows * all * keyCount < WORTH_TWO
        || all < Lanes.COUNT
        || !tracer.inLanes()
        || recomputed && !flash.forTwo()) {
      return false;
    }
    QueryView view = lanes[1].view;
    int position = ubatch.position(ubatch.rowOf(0, outputs));
    return look(view, 0, 0, 0)
        && view.keys().size() > 0
        && view.keys().positions()[view.keys().size() - 1] <= position;
  }

  /** Has a view look at the keys of a query, for one head, in a slice of the last dimension. */
  private boolean look(QueryView view, int q, int head, int slice) {
    CellMap map = cells;
    int first = map == null ? 0 : firstCell(groups > 1 ? 0 : slice);
    Ubatch themselves = map == null && keyCount == ubatch.size() ? ubatch : null;
    return view.look(mask.row(q, head, slice), keyCount, map, first, themselves);
  }

  private long keysOf(Tensor softmax) {
    source.at(softmax.source(0));
    while (source.op() != Op.MUL_MAT) {
      source.at(source.source(0));
    }
    return source.source(0);
  }

  private void findCache() {
    cacheView.at(keySource.address());
    while (cells != null && cacheView.viewSource() == 0 && cacheView.source(0) != 0) {
      // Keys of a type that attention cannot take are converted on the way from the cache.
      cacheView.at(cacheView.source(0));
    }
  }

  /** The view on the cache begins at its first stream's first cell; streams lie one by one. */
  private int firstCell(int stream) {
    boolean several = cacheView.ne(3) > 1;
    if (cacheView.viewSource() == 0) {
      return firstCopied(several ? stream : 0);
    }
    long streamStart = several ? stream * cacheView.nb(3) : 0;
    return (int) ((cacheView.viewOffset() + streamStart) / cacheView.nb(1));
  }

  /**
   * The same where the scheduler copied the keys to another device. A copy does not say which part
   * of the cache it is of: it begins with the first stream that the batch has tokens of.
   */
  private int firstCopied(int stream) {
    CacheGroup group = cache;
    if (group == null || group.streams() == 1) {
      return 0;
    }
    int first = group.streams();
    for (int row = 0; row < ubatch.size(); row++) {
      first = Math.min(first, Math.max(0, ubatch.sequence(row)));
    }
    return (first + stream) * group.streamCells();
  }

  /** A graph begins. */
  void beginGraph() {
    mask.beginGraph();
  }

  long bytesCopied() {
    return weights.bytesCopied() + flash.bytesCopied() + mask.bytesCopied();
  }

  /** A step begins, whose cached tokens that receive attention are counted. */
  void beginStep() {
    for (Lane lane : lanes) {
      lane.accessed.begin();
    }
  }

  /** Cached tokens that received attention since the step began, -1 when no row was seen. */
  int accessed() {
    return lanes[0].accessed.count(lanes[1].accessed);
  }

  /** Keys in sight whose position was not known, and whose rows were left out; 0 when exact. */
  long dropped() {
    // Every query's keys are looked at by the first lane.
    return lanes[0].view.dropped();
  }

  void close() {
    weights.close();
    mask.close();
    flash.close();
  }
}
