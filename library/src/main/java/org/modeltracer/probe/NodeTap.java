package org.modeltracer.probe;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.modeltracer.graph.ModelSurvey;
import org.modeltracer.graph.NodeCatalogue;
import org.modeltracer.graph.NodeIdentity;
import org.modeltracer.graph.NodeInfo;
import org.modeltracer.graph.NodeTable;
import org.modeltracer.graph.SiteMap;
import org.modeltracer.graph.TensorData;
import org.modeltracer.graph.TokenAxis;
import org.modeltracer.llama.LlamaException;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Op;
import org.modeltracer.llama.Setting;
import org.modeltracer.llama.Tensor;
import org.modeltracer.llama.TensorObserver;
import org.modeltracer.llama.TensorType;
import org.modeltracer.model.AttentionRow;
import org.modeltracer.model.Site;
import org.modeltracer.trace.RowTaker;

/**
 * Hands out whole nodes of a pass, those chosen, beside what the session's own probe does.
 *
 * <p>Rows of attention come from that probe, which must watch them.
 */
public final class NodeTap implements TensorObserver, RowTaker {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
  private static final long LARGEST = 1L << 28;

  /** A node that can be chosen, and where it counts tokens. */
  private record Entry(NodeInfo info, @Nullable TokenAxis axis) {}

  private final ForwardProbe probe;
  private final NodeIdentity identity;
  private final TensorData data;
  private final TokenRows tokenRows = new TokenRows();
  private final NodeTable<Entry> table = new NodeTable<>();
  private final List<NodeInfo> nodes;
  private final Supplier<Set<String>> wanted;
  private final PassSink sink;
  private float[] buffer = {};
  private @Nullable NodeValues window;
  private @Nullable Entry current;
  private boolean inner;
  private long graph = -1;
  private int firstPosition;
  private int heads;
  private int positions;

  /**
   * A tap beside a probe.
   *
   * @param wanted keys of the nodes that are wanted, asked for each node
   */
  public NodeTap(
      LlamaRuntime runtime,
      ModelSurvey survey,
      ForwardProbe probe,
      Supplier<Set<String>> wanted,
      PassSink sink) {
    this.probe = probe;
    this.wanted = wanted;
    this.sink = sink;
    probe.tapRows(this);
    identity = new NodeIdentity(runtime);
    data = new TensorData(runtime, false);
    nodes = List.copyOf(new NodeCatalogue(survey.prompt()).all());
    Map<String, NodeInfo> byKey = new HashMap<>();
    nodes.forEach(node -> byKey.put(node.key(), node));
    for (SiteMap map : survey.maps()) {
      new NodeCatalogue(map)
          .byNode()
          .forEach(
              (node, info) -> {
                NodeInfo known = byKey.get(info.key());
                if (known != null) {
                  table.put(node, new Entry(known, map.tokens(node)));
                }
              });
    }
  }

  /** All nodes that can be had, in execution order. */
  public List<NodeInfo> nodes() {
    return nodes;
  }

  @Override
  public boolean wants(Tensor node) {
    inner = probe.wants(node);
    if (probe.graphs() != graph) {
      graph = probe.graphs();
      table.restart();
    }
    Entry found = table.next(identity.of(node));
    boolean mine = found != null && wanted.get().contains(found.info.key()) && probe.computes(node);
    current = mine ? found : null;
    return inner || mine;
  }

  @Override
  public void observe(Tensor node) {
    Entry entry = current;
    boolean attention = entry != null && entry.info.place().site() == Site.ATTENTION;
    if (attention) {
      beginAttention(node);
    }
    if (inner) {
      probe.observe(node);
    }
    if (entry == null) {
      return;
    }
    Ubatch tokens = probe.tokens();
    if (attention) {
      int rows = tokens.size() * heads;
      hand(entry.info, node, rows, positions, MemorySegment.ofArray(buffer));
    } else {
      dense(entry, node, tokens);
    }
  }

  private void dense(Entry entry, Tensor node, Ubatch tokens) {
    int rows = tokens.size();
    int first = TokenRows.firstDimension(node, entry.axis, tokens);
    if (rows == 0 || first < 0) {
      return;
    }
    int width = Math.toIntExact(node.elements() / rows);
    firstPosition = tokens.position(0);
    TensorData opened = data;
    if (inner) {
      opened = probe.opened(node);
    } else {
      data.open(node);
    }
    MemorySegment values = opened.values();
    if (node.type() != TensorType.F32 || !node.isContiguous()) {
      reserve(rows * width);
      tokenRows.read(
          node,
          first,
          opened,
          rows,
          (token, from, offset, n) ->
              MemorySegment.copy(from, FLOAT, offset, buffer, width * token, n));
      values = MemorySegment.ofArray(buffer);
    }
    hand(entry.info, node, rows, width, values);
  }

  private void beginAttention(Tensor node) {
    Ubatch tokens = probe.tokens();
    boolean fused = node.op() == Op.FLASH_ATTN_EXT;
    heads = (int) node.ne(fused ? 1 : 2);
    firstPosition = tokens.position(0);
    positions = firstPosition + tokens.size();
    long size = (long) tokens.size() * heads * positions;
    if (size > LARGEST) {
      throw LlamaException.naming(
          LlamaException.Kind.ARGUMENT,
          "attention of %d queries in %d heads over %d keys does not fit: a smaller {} or {} helps"
              .formatted(tokens.size(), heads, positions),
          Setting.MICRO_BATCH,
          Setting.CONTEXT);
    }
    reserve((int) size);
    Arrays.fill(buffer, 0, (int) size, Float.NaN);
  }

  @Override
  public void onRow(AttentionRow row, boolean learnedSink) {
    if (current == null || current.info.place().layer() != row.layer() || row.head() >= heads) {
      return;
    }
    int at = ((row.query() - firstPosition) * heads + row.head()) * positions;
    Arrays.fill(buffer, at, at + positions, 0);
    for (int i = 0; i < row.size(); i++) {
      buffer[at + row.key(i)] = row.weight(i);
    }
  }

  private void reserve(int floats) {
    if (buffer.length < floats) {
      buffer = new float[floats];
    }
  }

  private void hand(NodeInfo info, Tensor node, int rows, int width, MemorySegment values) {
    NodeValues shown = window;
    if (shown == null) {
      shown = new NodeValues(info, node);
      window = shown;
    }
    sink.onNode(shown.at(info, node, firstPosition, rows, width, values));
  }

  public void close() {
    data.close();
    if (window != null) {
      window.close();
    }
  }
}
