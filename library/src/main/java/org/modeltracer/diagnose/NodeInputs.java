package org.modeltracer.diagnose;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.modeltracer.gguf.GgmlType;
import org.modeltracer.graph.GraphNode;
import org.modeltracer.graph.TensorData;
import org.modeltracer.graph.TokenAxis;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Op;
import org.modeltracer.llama.Tensor;
import org.modeltracer.model.TensorState;
import org.modeltracer.model.TensorStats;
import org.modeltracer.session.RunningPass;

/** What an operation takes, read just before it runs and while its inputs still hold. */
final class NodeInputs implements AutoCloseable {
  private static final long[] NO_IDS = {};
  private static final int SUM_BLOCK = 32;
  private static final Set<Op> COPIES = Set.of(Op.CPY, Op.CONT, Op.DUP);

  private final RunningPass pass;
  private final WatchedGraph graph;
  private final TensorData data;
  private final Elements elements;
  private final Tensor window;
  private long[] ids = NO_IDS;
  private @Nullable WrittenRows written;
  private final BitSet maskedRows = new BitSet();
  private double blockSum;

  NodeInputs(LlamaRuntime runtime, RunningPass pass, WatchedGraph graph) {
    this.pass = pass;
    this.graph = graph;
    data = new TensorData(runtime, false);
    elements = new Elements(runtime, data);
    window = new Tensor(runtime);
  }

  /** Reads what will be needed if this node turns out to be bad. */
  void read(Tensor t, GraphNode node) {
    ids = NO_IDS;
    written = null;
    maskedRows.clear();
    blockSum = 0;
    switch (node.op()) {
      case GET_ROWS -> ids = elements.integers(window.at(t.source(1)));
      case SET_ROWS -> {
        ids = elements.integers(window.at(t.source(1)));
        written = new WrittenRows(ids, (int) window.ne(0), (int) (window.ne(1) * window.ne(2)));
      }
      case SOFT_MAX -> readMask(t.source(1));
      case FLASH_ATTN_EXT -> readMask(t.source(3));
      case MUL_MAT -> readBlockSum(t, node);
      case MUL_MAT_ID -> {
        ids = elements.integers(window.at(t.source(2)));
        readBlockSum(t, node);
      }
      default -> {}
    }
  }

  private void readMask(long mask) {
    if (mask == 0) {
      return;
    }
    long rows = window.at(mask).ne(1);
    long n = window.ne(0);
    long[] seen = {0};
    maskedRows.set(0, Math.toIntExact(rows * window.ne(2) * window.ne(3)));
    elements.each(
        window,
        (x, offset) -> {
          if (x != Float.NEGATIVE_INFINITY) {
            maskedRows.clear((int) (seen[0] / n));
          }
          seen[0]++;
          return true;
        });
  }

  /** Types whose products need, beside codes and a scale, the sum of each block in F16. */
  private void readBlockSum(Tensor t, GraphNode node) {
    int type = node.sources().getFirst().type();
    if (type != GgmlType.Q4_1.id() && type != GgmlType.Q5_1.id()) {
      return;
    }
    double[] sum = {0, 0};
    elements.each(
        window.at(t.source(1)),
        (x, offset) -> {
          sum[0] += x;
          if (++sum[1] % SUM_BLOCK == 0) {
            blockSum = Math.max(blockSum, Math.abs(sum[0]));
            sum[0] = 0;
          }
          return true;
        });
  }

  /** Rows that the node at hand writes, null when it computes all of its output. */
  @Nullable WrittenRows writtenRows() {
    return written;
  }

  /** Visits all values of a tensor, in the order of its dimensions. */
  void eachValue(Tensor t, Elements.Visitor visitor) {
    elements.each(t, visitor);
  }

  /** Describes the node at hand as bad from its {@code first} value on, counted as it was read. */
  BadNode describe(Tensor t, GraphNode node, TensorStats stats, long first) {
    List<Long> index = written == null ? index(t, first) : written.index(t, first);
    List<BadNode.Input> inputs = new ArrayList<>();
    for (GraphNode source : node.sources()) {
      boolean target = node.isMemory() && source.root() == node.root();
      if (!target) {
        inputs.add(input(node, source));
      }
    }
    return new BadNode(
        node,
        stats,
        index,
        position(t, node, index, first),
        List.copyOf(inputs),
        ids,
        id(t, node, index),
        pass.tokensOfGraph(),
        maskedRows.get(maskRow(t, node, index)),
        blockSum);
  }

  private static List<Long> index(Tensor t, long element) {
    long rest = element;
    List<Long> index = new ArrayList<>(Tensor.DIMS);
    for (int d = 0; d < Tensor.DIMS; d++) {
      index.add(rest % t.ne(d));
      rest /= t.ne(d);
    }
    return index;
  }

  private @Nullable Integer position(Tensor t, GraphNode node, List<Long> index, long element) {
    WrittenRows rows = written;
    if (rows != null) {
      // As many rows per token as it takes: one, or one for each value of a transposed cache.
      long row = element / t.ne(0);
      return known(pass.position(row * pass.tokensOfGraph() / rows.ids().length, false));
    }
    if (COPIES.contains(node.op()) && node.sources().getFirst().isKvCache()) {
      return positionInCache(node, node.sources().getFirst(), index);
    }
    TokenAxis axis = pass.axis(node);
    if (axis == null) {
      return pass.tokensOfGraph() == 1 ? known(pass.position(0, false)) : null;
    }
    return element < 0 ? null : known(pass.position(axis.row(t, element), axis.outputs()));
  }

  private @Nullable Integer positionInCache(GraphNode node, GraphNode source, List<Long> index) {
    Tensor cache = window.at(source.address());
    long offset = 0;
    for (int d = 0; d < Tensor.DIMS; d++) {
      offset += index.get(d) * cache.nb(d);
    }
    int cell = CellNumbers.of(cache, node, source).of(offset);
    RunningPass.Cell holds = pass.cell(graph.layer(source.root()), cell);
    return holds == null ? null : holds.position();
  }

  private static @Nullable Integer known(int position) {
    return position < 0 ? null : position;
  }

  private long id(Tensor t, GraphNode node, List<Long> index) {
    int i =
        switch (node.op()) {
          case GET_ROWS -> Math.toIntExact(index.get(1) + index.get(2) * t.ne(1));
          case MUL_MAT_ID -> Math.toIntExact(index.get(1) + index.get(2) * t.ne(1));
          default -> -1;
        };
    return i >= 0 && i < ids.length ? ids[i] : -1;
  }

  private int maskRow(Tensor t, GraphNode node, List<Long> index) {
    boolean fused = node.is(Op.FLASH_ATTN_EXT);
    long rows = t.ne(fused ? 2 : 1);
    return (int) (index.get(fused ? 2 : 1) + index.get(3) * rows);
  }

  private BadNode.Input input(GraphNode node, GraphNode source) {
    GraphNode root = source.root();
    if (root.isWeight()) {
      return new BadNode.Input(source, null, 0, null);
    }
    if (root.isMemory()) {
      return memory(node, source);
    }
    TensorStats stats = graph.values(root).stats;
    return new BadNode.Input(
        source, state(stats, graph.values(root).masked), graph.absMax(source), null);
  }

  private static TensorState state(@Nullable TensorStats stats, boolean masked) {
    if (stats == null || !stats.bad()) {
      return TensorState.FINITE;
    }
    if (masked) {
      return TensorState.MASKED;
    }
    return stats.nan() > 0 ? TensorState.NAN : TensorState.INF;
  }

  /** Names the first bad cell that is read: one in use if there is any, else one left behind. */
  private BadNode.Input memory(GraphNode node, GraphNode source) {
    GraphNode root = source.root();
    Tensor values = window.at(source.address());
    CellNumbers cells = source.isKvCache() ? CellNumbers.of(values, node, source) : null;
    BadNode.BadCell[] found = {null};
    TensorState[] state = {TensorState.FINITE};
    double[] absMax = {0};
    elements.each(
        values,
        (x, offset) -> {
          if (Float.isFinite(x)) {
            absMax[0] = Math.max(absMax[0], Math.abs(x));
            return true;
          }
          state[0] = Float.isNaN(x) ? TensorState.NAN : TensorState.INF;
          if (cells == null) {
            return false;
          }
          int cell = cells.of(offset);
          RunningPass.Cell holds = pass.cell(graph.layer(root), cell);
          if (holds != null) {
            found[0] = new BadNode.BadCell(root.name(), cell, holds.position(), holds.forward());
            return false;
          }
          if (found[0] == null) {
            found[0] = new BadNode.BadCell(root.name(), cell, null, null);
          }
          return true;
        });
    return new BadNode.Input(source, state[0], absMax[0], found[0]);
  }

  @Override
  public void close() {
    data.close();
  }
}
