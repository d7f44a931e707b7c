package org.modeltracer.llama.ffi;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/** Functions by which llama.cpp has graphs computed, as other code reaches them. */
public final class SchedulerFunctions {
  /** Sets the callback of a scheduler. */
  public static final String SET_CALLBACK = "ggml_backend_sched_set_eval_callback";

  /** Computes a graph. */
  public static final String COMPUTE = "ggml_backend_sched_graph_compute_async";

  /** Frees a scheduler. */
  public static final String FREE = "ggml_backend_sched_free";

  /** Decodes a batch. */
  public static final String DECODE = "llama_decode";

  private final MethodHandle setCallback;
  private final MethodHandle compute;
  private final MethodHandle free;
  private final MethodHandle decode;
  private final MethodHandle nodes;
  private final MethodHandle node;

  public SchedulerFunctions(NativeLibrary library) {
    setCallback = library.link(SET_CALLBACK, "ppp:v");
    compute = library.link(COMPUTE, "pp:i");
    free = library.link(FREE, "p:v");
    decode = library.link(DECODE, "pB:i");
    nodes = library.link("ggml_graph_n_nodes", "p:i");
    node = library.link("ggml_graph_node", "pi:p");
  }

  public void setCallback(long scheduler, long callback, long data) {
    try {
      setCallback.invokeExact(scheduler, callback, data);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  public int compute(long scheduler, long graph) {
    try {
      return (int) compute.invokeExact(scheduler, graph);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  public void free(long scheduler) {
    try {
      free.invokeExact(scheduler);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  public int decode(long context, MemorySegment batch) {
    try {
      return (int) decode.invokeExact(context, batch);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  /** Number of a graph's nodes. */
  public int nodes(long graph) {
    try {
      return (int) nodes.invokeExact(graph);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  /** Address of a node. */
  public long node(long graph, int i) {
    try {
      return (long) node.invokeExact(graph, i);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  /** Calls an evaluation callback of somebody else's. */
  public static boolean evaluate(long callback, long tensor, boolean ask, long data) {
    try {
      return (boolean) NativeLibrary.link(callback, "pbp:b").invokeExact(tensor, ask, data);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }
}
