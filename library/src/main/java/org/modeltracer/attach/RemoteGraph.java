package org.modeltracer.attach;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.function.LongUnaryOperator;
import org.modeltracer.graph.Graph;
import org.modeltracer.graph.GraphNode;
import org.modeltracer.graph.GraphRecorder;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Op;
import org.modeltracer.llama.Tensor;
import org.modeltracer.llama.TensorImages;

/**
 * Graphs of one structure in another process: images of their tensors, which change their sizes
 * from pass to pass.
 */
final class RemoteGraph implements AutoCloseable {
  private static final int HEADER = 32;
  private static final int OP = 64;
  private static final int TENSOR = 272;
  private static final int SOURCES = 10;
  private static final int NAME = 32;
  private static final int MOST_TENSORS = 1 << 16;
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;
  private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED;

  private final TensorImages images;
  private final int[] nodes;
  private final Tensor window;
  private final Tensor source;
  private final Graph graph;
  private final Map<Long, Integer> byAddress = new HashMap<>();

  /**
   * Reads a survey.
   *
   * @param survey a record of the agent's, not to be trusted
   * @param shared gives the image of memory that outlives a graph, such as a KV cache, by its
   *     address over there: the one it had in another structure, or 0 for none
   * @throws IllegalArgumentException for what no graph can be
   */
  RemoteGraph(LlamaRuntime runtime, MemorySegment survey, LongUnaryOperator shared) {
    window = new Tensor(runtime);
    source = new Tensor(runtime);
    int tensors = survey.get(INT, 20);
    int nodeCount = survey.get(INT, 24);
    int ops = survey.get(INT, 28);
    boolean fits =
        tensors > 0
            && tensors <= MOST_TENSORS
            && nodeCount > 0
            && nodeCount <= Math.min(tensors, Channel.MOST_NODES)
            && ops >= 0
            && ops <= 256
            && HEADER + (long) ops * OP + (long) tensors * TENSOR <= survey.byteSize();
    if (!fits) {
      throw new IllegalArgumentException("a graph of %d tensors".formatted(tensors));
    }
    images = new TensorImages(runtime, tensors);
    int[] codes = new int[ops];
    for (int i = 0; i < ops; i++) {
      MemorySegment op = survey.asSlice(HEADER + (long) i * OP, OP);
      codes[i] = images.op(text(op, 0, NAME), text(op, NAME, NAME));
    }
    nodes = new int[nodeCount];
    Arrays.fill(nodes, -1);
    long[] places = new long[tensors];
    for (int i = 0; i < tensors; i++) {
      long at = HEADER + (long) ops * OP + (long) i * TENSOR;
      places[i] = define(i, survey.asSlice(at, TENSOR), codes, places, shared);
    }
    var recorder = new GraphRecorder(runtime);
    for (int node : nodes) {
      if (node < 0) {
        throw new IllegalArgumentException("a graph that lacks a node");
      }
      recorder.record(window.at(places[node]));
    }
    graph = Graph.of(recorder);
  }

  private long define(
      int i, MemorySegment told, int[] codes, long[] places, LongUnaryOperator shared) {
    int op = told.get(INT, 152);
    int node = told.get(INT, 156);
    if (op < 0 || op >= codes.length) {
      throw new IllegalArgumentException("an operation without a name");
    }
    if (node >= 0) {
      if (node >= nodes.length || nodes[node] >= 0) {
        throw new IllegalArgumentException("two nodes in one place");
      }
      nodes[node] = i;
    }
    long[] sources = new long[SOURCES];
    for (int s = 0; s < SOURCES; s++) {
      sources[s] = place(told.get(INT, 164 + 4L * s), i, places);
    }
    long view = place(told.get(INT, 160), i, places);
    int[] params = told.asSlice(88, 64).toArray(INT);
    byte[] name = text(told, 208, 64).getBytes(StandardCharsets.UTF_8);
    images.define(
        i,
        new TensorImages.Kind(told.get(INT, 80), codes[op], params, name),
        new TensorImages.Shape(
            told.get(INT, 84), longs(told, 8), longs(told, 40), told.get(LONG, 72)),
        view,
        sources);
    long remote = told.get(LONG, 0);
    long known = 0;
    if (node < 0 && view == 0 && new String(name, StandardCharsets.UTF_8).startsWith("cache_")) {
      known = shared.applyAsLong(remote);
      byAddress.put(remote, i);
    }
    return known != 0 ? known : images.address(i);
  }

  /** The image that a number, plus one, names: one that came before. */
  private static long place(int number, int before, long[] places) {
    if (number < 0 || number > before) {
      throw new IllegalArgumentException("a source that is not there");
    }
    return number == 0 ? 0 : places[number - 1];
  }

  static long[] longs(MemorySegment from, long at) {
    return from.asSlice(at, 4 * Long.BYTES).toArray(LONG);
  }

  /** Text that ends at a zero. */
  static String text(MemorySegment from, long at, int most) {
    byte[] bytes = from.asSlice(at, most).toArray(ValueLayout.JAVA_BYTE);
    int n = 0;
    while (n < most && bytes[n] != 0) {
      n++;
    }
    return new String(bytes, 0, n, StandardCharsets.UTF_8);
  }

  /** Address here of memory that outlives a graph, by its address over there; 0 for none. */
  long memory(long remote) {
    Integer i = byAddress.get(remote);
    return i == null ? 0 : images.address(i);
  }

  Graph graph() {
    return graph;
  }

  /** Images of all tensors, by the numbers that records name them by. */
  TensorImages images() {
    return images;
  }

  int nodeCount() {
    return nodes.length;
  }

  /** Number of a node's tensor. */
  int tensorOf(int node) {
    return nodes[node];
  }

  /** The window on a node. */
  Tensor node(int i) {
    return window.at(images.address(nodes[i]));
  }

  /** The node that a graph begins with, which looks tokens up. */
  private Tensor embedding() {
    for (GraphNode node : graph.nodes()) {
      if (node.is(Op.GET_ROWS) && node.sources().getFirst().role().equals("token_embd")) {
        return window.at(node.address());
      }
    }
    return node(0);
  }

  /** How many tokens the graph computes, by its sizes now. */
  int tokens() {
    Tensor first = embedding();
    return first.ne(0) == 0 ? 0 : Math.toIntExact(first.elements() / first.ne(0));
  }

  /** The i-th number of a node's second source, which holds whole numbers. */
  int integer(Tensor node, int i, int otherwise) {
    long address = node.source(1);
    if (address == 0) {
      return otherwise;
    }
    source.at(address);
    return source.isHost() && i < source.elements()
        ? source.hostData().get(INT, 4L * i)
        : otherwise;
  }

  @Override
  public void close() {
    images.close();
  }
}
