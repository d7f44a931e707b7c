package org.modeltracer.llama;

import java.lang.foreign.MemorySegment;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.modeltracer.llama.ffi.GgmlFunctions;

/**
 * A small graph of our own on a model's weights: a function of the columns of one matrix.
 *
 * <p>Its operations treat every column alike. They are computed by ggml's backends where the
 * weights lie, in whatever layout these have there. What ggml would end the process over is refused
 * while the graph is made. The model must stay open as long as the graph is used.
 */
public final class SideGraph implements AutoCloseable {
  /** Makes the result of a graph from its input. */
  public interface Recipe {
    /** Returns the result, made of {@link #weight} and {@link #node}. */
    Value make(SideGraph graph, Value input);
  }

  /**
   * A matrix of the graph.
   *
   * @param tensor address of the {@code ggml_tensor}
   * @param width elements of a column, which lie side by side
   * @param columns number of columns
   */
  public record Value(long tensor, long width, long columns) {}

  private static final int MOST_TENSORS = 128;
  private static final Set<Op> OF_ONE =
      Set.of(
          Op.NORM, Op.RMS_NORM, Op.L2_NORM, Op.SCALE, Op.CLAMP, Op.SQR, Op.SQRT, Op.LOG, Op.UNARY);
  private static final Set<Op> OF_TWO = Set.of(Op.ADD, Op.SUB, Op.MUL, Op.DIV);

  private final LlamaModel model;
  private final LlamaRuntime runtime;
  private final GgmlFunctions ggml;
  private final Set<Long> weights = new LinkedHashSet<>();
  private final Set<Long> nodes = new LinkedHashSet<>();
  private long arena;
  private long graph;
  private final Value input;
  private final Value result;
  private @Nullable Backends backends;

  private SideGraph(LlamaModel model, int threads, int width, int columns, Recipe recipe) {
    this.model = model;
    runtime = model.runtime();
    ggml = runtime.ggml().functions();
    try {
      arena = arena();
      input = tensor(width, columns);
      ggml.setInput(input.tensor());
      result = recipe.make(this, input);
      if (!nodes.contains(result.tensor())) {
        throw refused("it computes nothing");
      }
      ggml.setOutput(result.tensor());
      graph = graph();
      backends = new Backends(runtime, List.copyOf(weights), threads);
      backends.allocate(graph, MOST_TENSORS, nodes);
    } catch (RuntimeException failure) {
      free();
      throw failure;
    }
  }

  /**
   * Makes a graph.
   *
   * @param threads threads that compute it on the processor
   * @param width elements of a column of the input
   * @param columns columns of the input
   * @throws LlamaException when it has an operation that does not treat each column alike, or that
   *     no backend computes, or when memory is short
   */
  public static SideGraph of(LlamaModel model, int threads, int width, int columns, Recipe recipe) {
    return model.runtime().call(() -> new SideGraph(model, threads, width, columns, recipe));
  }

  private long arena() {
    long bytes = MOST_TENSORS * ggml.tensorOverhead() + ggml.graphOverhead(MOST_TENSORS);
    long made = ggml.init(bytes);
    if (made == 0) {
      throw refused("there is no memory for it");
    }
    return made;
  }

  private long graph() {
    long made = ggml.newGraph(arena, MOST_TENSORS);
    ggml.expand(made, result.tensor());
    return made;
  }

  private Value tensor(long width, long columns) {
    if (nodes.size() + 2 > MOST_TENSORS) {
      throw refused("it has more than " + MOST_TENSORS + " nodes");
    }
    return new Value(ggml.newMatrix(arena, TensorType.F32, width, columns), width, columns);
  }

  /**
   * A weight of the model.
   *
   * @param address of its tensor, as a graph of the model named it
   */
  public Value weight(long address) {
    Tensor tensor = new Tensor(runtime).at(address);
    if (tensor.ne(2) != 1 || tensor.ne(3) != 1 || !holdsWeights(tensor.buffer())) {
      throw refused(tensor.name() + " is no matrix of weights");
    }
    weights.add(address);
    return new Value(address, tensor.ne(0), tensor.ne(1));
  }

  private boolean holdsWeights(long buffer) {
    return buffer != 0 && ggml.holdsWeights(buffer);
  }

  /** The result of an operation, in float32. */
  public Value node(Operation operation, List<Value> sources) {
    Value shape = shape(operation, sources);
    Value made = tensor(shape.width(), shape.columns());
    long[] addresses = sources.stream().mapToLong(Value::tensor).toArray();
    Tensor.define(made.tensor(), operation, addresses);
    nodes.add(made.tensor());
    return made;
  }

  private Value shape(Operation operation, List<Value> sources) {
    Op op = runtime.op(operation.code());
    Value first = sources.getFirst();
    Value last = sources.getLast();
    boolean own = !weights.contains(first.tensor());
    if (OF_ONE.contains(op) && sources.size() == 1 && own) {
      return first;
    }
    if (OF_TWO.contains(op) && sources.size() == 2 && own && repeats(last, first)) {
      return first;
    }
    if (op == Op.MUL_MAT
        && sources.size() == 2
        && !own
        && !weights.contains(last.tensor())
        && first.width() == last.width()) {
      return new Value(0, first.columns(), last.columns());
    }
    throw refused(
        runtime.opName(operation.code())
            + " of "
            + sources.size()
            + " matrices does not treat columns alike");
  }

  private static boolean repeats(Value small, Value large) {
    return large.width() % small.width() == 0
        && (small.columns() == 1 || small.columns() == large.columns());
  }

  static LlamaException refused(String reason) {
    return new LlamaException(
        LlamaException.Kind.ARGUMENT, "this cannot be computed on the model's weights: " + reason);
  }

  /** Shape of the result. */
  public Value result() {
    return result;
  }

  /**
   * Computes the result.
   *
   * @param columns native memory, float32 {@code [column][width]}
   * @param target native memory for float32 {@code [column][width of the result]}
   */
  public void compute(MemorySegment columns, MemorySegment target) {
    runtime.run(() -> run(columns, target));
  }

  private void run(MemorySegment columns, MemorySegment target) {
    if (backends == null || model.address() == 0) {
      throw new IllegalStateException("this graph is closed");
    }
    long bytes = 4 * input.width() * input.columns();
    if (!columns.isNative() || !target.isNative()) {
      throw new IllegalArgumentException("native code reads and writes native memory only");
    }
    if (columns.byteSize() < bytes) {
      throw new IndexOutOfBoundsException("the input has fewer columns than the graph takes");
    }
    ggml.write(input.tensor(), columns, 0, bytes);
    backends.compute(graph);
    runtime.readTensor(result.tensor(), target, 0, 4 * result.width() * result.columns());
  }

  private void free() {
    if (backends != null) {
      backends.close();
      backends = null;
    }
    if (arena != 0) {
      ggml.free(arena);
      arena = 0;
    }
  }

  /** Frees the graph; the weights stay the model's. */
  @Override
  public void close() {
    runtime.run(this::free);
  }
}
