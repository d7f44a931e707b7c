package org.modeltracer.graph;

import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Tensor;

/**
 * What makes a node recognisable from one forward pass to the next.
 *
 * <p>A node is known by its operation and its name, or, where llama.cpp gave it none, by those of
 * its first two sources. Addresses will not do: graphs are rebuilt and memory is reused.
 */
public final class NodeIdentity {
  private static final int DEPTH = 4;
  private static final long MIX = 0x9E3779B97F4A7C15L;

  private final Tensor[] windows = new Tensor[DEPTH];

  public NodeIdentity(LlamaRuntime runtime) {
    for (int i = 0; i < DEPTH; i++) {
      windows[i] = new Tensor(runtime);
    }
  }

  /** A number that equals that of the same node in another pass; computed without allocating. */
  public long of(Tensor node) {
    return of(node, 0);
  }

  private long of(Tensor node, int depth) {
    long name = node.nameHash();
    if (name != 0 && depth > 0) {
      // Without the operation: a copy on another device has none.
      return mix(name);
    }
    long identity = mix(node.opCode() + 1L);
    if (name != 0) {
      return mix(identity ^ name);
    }
    for (int i = 0; i < 2 && depth < DEPTH; i++) {
      long source = node.source(i);
      identity = mix(identity + (source == 0 ? 0 : of(windows[depth].at(source), depth + 1)));
    }
    return identity;
  }

  private static long mix(long x) {
    long z = (x ^ (x >>> 31)) * MIX;
    return z ^ (z >>> 29);
  }
}
