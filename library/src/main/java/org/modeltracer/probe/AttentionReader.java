package org.modeltracer.probe;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.function.IntPredicate;
import org.jspecify.annotations.Nullable;
import org.modeltracer.cache.AccessedPositions;
import org.modeltracer.cache.CacheLayout;
import org.modeltracer.cache.CellMap;
import org.modeltracer.cache.RowKeys;
import org.modeltracer.graph.TensorData;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Op;
import org.modeltracer.llama.Tensor;
import org.modeltracer.model.AttentionRow;
import org.modeltracer.trace.TracerConfig;

/**
 * Rows of attention from a layer's attention node, by token position.
 *
 * <p>Where the node is a softmax its rows are read; where it is a fused operation they are computed
 * again from its inputs. Either way only keys that the mask lets the query see are part of a row,
 * and a row of which one key's position is not known is left out.
 */
final class AttentionReader {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
  private static final int SINKS = 2;

  private final TracerConfig config;
  private final IntPredicate wanted;
  private final RowSink sink;
  private final Tensor source;
  private final Tensor keySource;
  private final Tensor cacheView;
  private final TensorData weights;
  private final FlashRows flash;
  private final Reduced reduced;
  private final MaskRow mask;
  private final RowKeys keys = new RowKeys();
  private final AttentionRow row = new AttentionRow();
  private float[] scratch = {};
  private MemorySegment scratchSegment = MemorySegment.ofArray(scratch);
  private final AccessedPositions accessed;
  private @Nullable CellMap cells;
  private int firstCell;
  private boolean learnedSink;
  private boolean biased;
  private long dropped;

  AttentionReader(
      LlamaRuntime runtime,
      TracerConfig config,
      RowSink sink,
      CacheLayout caches,
      boolean forceCopy,
      Reduced reduced) {
    this.config = config;
    wanted = config::wantsHead;
    this.reduced = reduced;
    this.sink = sink;
    source = new Tensor(runtime);
    keySource = new Tensor(runtime);
    cacheView = new Tensor(runtime);
    weights = new TensorData(runtime, forceCopy);
    flash = new FlashRows(runtime, forceCopy);
    mask = new MaskRow(runtime, forceCopy);
    accessed = new AccessedPositions(caches, config.weightThreshold());
  }

  /**
   * Hands all wanted rows of an attention node to the sink.
   *
   * @param map what the layer's key cache holds, or null where keys are the tokens themselves
   */
  void read(Tensor node, WatchedNode watched, Ubatch ubatch, @Nullable CellMap map) {
    cells = map;
    boolean fused = watched.fused;
    int layer = watched.place.layer();
    int heads = (int) node.ne(fused ? 1 : 2);
    int queries = (int) node.ne(fused ? 2 : 1);
    int outer = (int) node.ne(3);
    // The last dimension counts streams; in block-sparse attention it counts groups of heads.
    int groups = watched.axis != null && watched.axis.streams() ? 1 : outer;
    long all = (long) queries * outer / groups;
    boolean outputs = watched.axis != null && watched.axis.outputs();
    if (all != (outputs ? ubatch.outputs() : ubatch.size())) {
      return;
    }
    keySource.at(fused ? node.source(1) : keysOf(node));
    MemorySegment values = MemorySegment.NULL;
    MemorySegment known = fused ? reduced.rows(node) : null;
    if (known != null) {
      values = known;
      learnedSink = node.source(FlashRows.SINKS) != 0;
    } else if (fused) {
      flash.open(node, groups > 1 ? null : wanted);
      learnedSink = flash.hasSinks();
    } else {
      values = weights.open(node, groups > 1 ? null : wanted);
      learnedSink = node.source(SINKS) != 0;
    }
    mask.open(node.source(fused ? 3 : 1));
    findCache();
    reserve((int) keySource.ne(1));
    for (int i = 0; i < all; i++) {
      int q = i % queries;
      int token = ubatch.rowOf(i, outputs);
      boolean sees = false;
      for (int h = 0; h < heads * groups; h++) {
        int inner = h % heads;
        int slice = groups > 1 ? h / heads : i / queries;
        if (inner == 0 || mask.differsByHead()) {
          mask.row(q, inner, slice);
          sees = visible(groups > 1 ? 0 : slice, ubatch) && ubatch.position(token) >= 0;
        }
        if (!sees || !config.wantsHead(h)) {
          continue;
        }
        if (known != null) {
          long line = ((long) slice * heads + inner) * queries + q;
          gather(layer, h, ubatch, token, values, 4 * line * keySource.ne(1));
        } else if (fused) {
          flash.row(inner, q, slice, keys, mask, biased, scratch);
          hand(layer, h, ubatch, token, scratchSegment, 0);
        } else {
          long offset = q * node.nb(1) + inner * node.nb(2) + slice * node.nb(3);
          gather(layer, h, ubatch, token, values, offset);
        }
      }
    }
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
    while (cells != null && cacheView.viewSource() == 0) {
      // Keys of a type that attention cannot take are converted on the way from the cache.
      cacheView.at(cacheView.source(0));
    }
  }

  /** Collects what the mask's current row lets its query see; false when some key is unknown. */
  private boolean visible(int stream, Ubatch ubatch) {
    keys.clear();
    CellMap map = cells;
    int count = (int) keySource.ne(1);
    boolean tokensThemselves = map == null && count == ubatch.size();
    firstCell = map == null ? 0 : firstCell(stream);
    int unknown = 0;
    biased = false;
    for (int c = 0; c < count; c++) {
      float bias = mask.value(c);
      if (bias == Float.NEGATIVE_INFINITY) {
        continue;
      }
      biased |= bias != 0;
      int position = -1;
      if (map != null) {
        position = map.position(firstCell + c);
      } else if (tokensThemselves) {
        position = ubatch.position(c);
      }
      if (position < 0) {
        unknown++;
      } else {
        keys.add(c, position);
      }
    }
    dropped += unknown;
    keys.sort();
    return unknown == 0;
  }

  /** The view on the cache begins at its first stream's first cell; streams lie one by one. */
  private int firstCell(int stream) {
    long streamStart = cacheView.ne(3) > 1 ? stream * cacheView.nb(3) : 0;
    return (int) ((cacheView.viewOffset() + streamStart) / cacheView.nb(1));
  }

  private void gather(
      int layer, int head, Ubatch ubatch, int token, MemorySegment values, long offset) {
    if (keys.adjacent()) {
      hand(layer, head, ubatch, token, values, offset + 4L * keys.cell(0));
      return;
    }
    for (int i = 0; i < keys.size(); i++) {
      scratch[i] = values.get(FLOAT, offset + 4L * keys.cell(i));
    }
    hand(layer, head, ubatch, token, scratchSegment, 0);
  }

  private void hand(
      int layer, int head, Ubatch ubatch, int token, MemorySegment values, long offset) {
    row.at(
        layer,
        head,
        ubatch.sequence(token),
        ubatch.position(token),
        keys.positions(),
        keys.size(),
        values,
        offset);
    sink.onRow(row, learnedSink);
    CellMap map = cells;
    if (map != null) {
      accessed.add(row, keys, map, firstCell);
    }
  }

  private void reserve(int keyCount) {
    keys.reserve(keyCount);
    if (scratch.length < keyCount) {
      scratch = new float[keyCount];
      scratchSegment = MemorySegment.ofArray(scratch);
    }
  }

  /** A graph begins. */
  void beginGraph() {
    mask.beginGraph();
  }

  long bytesCopied() {
    return weights.bytesCopied() + flash.bytesCopied() + mask.bytesCopied();
  }

  /** Cached tokens that received attention, counted from where its step begins. */
  AccessedPositions accessed() {
    return accessed;
  }

  /** Keys in sight whose position was not known, and whose rows were left out; 0 when exact. */
  long dropped() {
    return dropped;
  }

  void close() {
    weights.close();
    mask.close();
    flash.close();
  }
}
