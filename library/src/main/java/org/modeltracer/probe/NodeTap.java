package org.modeltracer.probe;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.modeltracer.graph.GraphNode;
import org.modeltracer.graph.LongTable;
import org.modeltracer.graph.ModelSurvey;
import org.modeltracer.graph.NodeCatalogue;
import org.modeltracer.graph.NodeIdentity;
import org.modeltracer.graph.NodeInfo;
import org.modeltracer.graph.TensorData;
import org.modeltracer.llama.LlamaException;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Tensor;
import org.modeltracer.llama.TensorObserver;
import org.modeltracer.llama.TensorType;
import org.modeltracer.model.AttentionRow;
import org.modeltracer.model.Site;
import org.modeltracer.trace.TraceListener;

/**
 * Hands out whole nodes of a pass, those chosen, beside what the session's own probe does.
 *
 * <p>Rows of attention come through the tracer, which must be set up for them.
 */
public final class NodeTap implements TensorObserver, TraceListener {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
  private static final long LARGEST = 1L << 28;

  /** Chosen nodes of one identity, by occurrence in the graph. */
  private static final class Slot {
    private final List<@Nullable NodeInfo> nodes = new ArrayList<>();
    private int seen;

    void put(int occurrence, NodeInfo node) {
      while (nodes.size() <= occurrence) {
        nodes.add(null);
      }
      nodes.set(occurrence, node);
    }

    @Nullable NodeInfo next() {
      int now = seen++;
      return now < nodes.size() ? nodes.get(now) : null;
    }
  }

  private final ForwardProbe probe;
  private final NodeIdentity identity;
  private final TensorData data;
  private final TokenRows tokenRows = new TokenRows();
  private final LongTable<Slot> slots = new LongTable<>();
  private final List<NodeInfo> nodes;
  private Set<String> wanted = Set.of();
  private NodeListener listener = values -> {};
  private float[] buffer = {};
  private @Nullable NodeValues window;
  private @Nullable NodeInfo current;
  private boolean inner;
  private long graph = -1;
  private int firstPosition;
  private int heads;
  private int positions;

  public NodeTap(LlamaRuntime runtime, ModelSurvey survey, ForwardProbe probe, int surveyTokens) {
    this.probe = probe;
    identity = new NodeIdentity(runtime);
    data = new TensorData(runtime, false);
    nodes = List.copyOf(new NodeCatalogue(survey.prompt(), surveyTokens).all());
    Map<String, NodeInfo> byKey = new HashMap<>();
    nodes.forEach(node -> byKey.put(node.key(), node));
    for (int m = 0; m < survey.maps().size(); m++) {
      int tokens = m == 0 ? surveyTokens : 1;
      new NodeCatalogue(survey.maps().get(m), tokens)
          .byNode()
          .forEach((node, info) -> enter(node, byKey.get(info.key())));
    }
  }

  private void enter(GraphNode node, @Nullable NodeInfo info) {
    if (info != null) {
      Slot slot = slots.get(node.identity());
      if (slot == null) {
        slot = new Slot();
        slots.put(node.identity(), slot);
      }
      slot.put(node.occurrence(), info);
    }
  }

  /** All nodes that can be had, in execution order. */
  public List<NodeInfo> nodes() {
    return nodes;
  }

  /** Sets which nodes are wanted, by key, and by whom. */
  public void choose(Set<String> keys, NodeListener who) {
    wanted = Set.copyOf(keys);
    listener = who;
  }

  @Override
  public boolean wants(Tensor node) {
    inner = probe.wants(node);
    if (probe.graphs() != graph) {
      graph = probe.graphs();
      slots.values().forEach(slot -> slot.seen = 0);
    }
    Slot slot = slots.get(identity.of(node));
    NodeInfo found = slot == null ? null : slot.next();
    boolean mine = found != null && wanted.contains(found.key()) && probe.computes(node);
    current = mine ? found : null;
    return inner || mine;
  }

  @Override
  public void observe(Tensor node) {
    NodeInfo info = current;
    boolean attention = info != null && info.place().site() == Site.ATTENTION;
    if (attention) {
      beginAttention(node);
    }
    if (inner) {
      probe.observe(node);
    }
    if (info == null) {
      return;
    }
    Ubatch tokens = probe.tokens();
    if (attention) {
      int rows = tokens.size() * heads;
      hand(info, node, rows, positions, MemorySegment.ofArray(buffer));
    } else {
      dense(info, node, tokens);
    }
  }

  private void dense(NodeInfo info, Tensor node, Ubatch tokens) {
    int rows = tokens.size();
    if (rows == 0 || node.elements() % rows != 0 || !TokenRows.counts(node, rows)) {
      return;
    }
    int width = Math.toIntExact(node.elements() / rows);
    firstPosition = tokens.position(0);
    MemorySegment values = data.open(node);
    if (node.type() != TensorType.F32 || !node.isContiguous()) {
      reserve(rows * width);
      int[] row = {0};
      tokenRows.read(
          node,
          data,
          info.place(),
          tokens,
          (place, sequence, position, from, offset, n) ->
              MemorySegment.copy(from, FLOAT, offset, buffer, width * row[0]++, n));
      values = MemorySegment.ofArray(buffer);
    }
    hand(info, node, rows, width, values);
  }

  private void beginAttention(Tensor node) {
    Ubatch tokens = probe.tokens();
    boolean fused = node.op().equals("FLASH_ATTN_EXT");
    heads = (int) node.ne(fused ? 1 : 2);
    firstPosition = tokens.position(0);
    positions = firstPosition + tokens.size();
    long size = (long) tokens.size() * heads * positions;
    if (size > LARGEST) {
      throw new LlamaException(
          LlamaException.Kind.ARGUMENT,
          "attention of %d queries in %d heads over %d keys does not fit: a smaller -ub or -c helps"
              .formatted(tokens.size(), heads, positions));
    }
    reserve((int) size);
    Arrays.fill(buffer, 0, (int) size, Float.NaN);
  }

  @Override
  public void onAttentionRow(AttentionRow row) {
    if (current == null || current.place().layer() != row.layer() || row.head() >= heads) {
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
    listener.onNode(shown.at(info, node, firstPosition, rows, width, values));
  }

  public void close() {
    data.close();
    if (window != null) {
      window.close();
    }
  }
}
