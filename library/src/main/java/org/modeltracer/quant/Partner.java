package org.modeltracer.quant;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.modeltracer.graph.NodeInfo;

/**
 * The other model: it runs by itself and stops at each node until the node has been looked at.
 *
 * <p>Used by one thread.
 */
interface Partner extends AutoCloseable {
  /** llama.cpp release that runs it. */
  String version();

  /** Whether anything but a processor may compute there. */
  boolean offloads();

  /** Nodes it can show, in execution order. */
  List<NodeInfo> nodes();

  /**
   * Starts a pass over a text from its beginning.
   *
   * @param wanted keys of the nodes to show
   * @param steered keys of those at which it waits for values to go on with
   */
  void begin(int[] tokens, Set<String> wanted, Set<String> steered);

  /**
   * Lets it go on to its next node.
   *
   * @return null when the pass is over
   */
  @Nullable Frame next();

  /** Gives it values to go on with, or null for its own; due for a frame that waits. */
  void answer(@Nullable MemorySegment values);

  /** Ends the pass in progress. */
  void abandon();

  @Override
  void close();
}
