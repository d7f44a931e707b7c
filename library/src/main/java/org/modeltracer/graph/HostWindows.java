package org.modeltracer.graph;

import java.lang.foreign.MemorySegment;
import org.modeltracer.llama.Tensor;

/**
 * Segments on host tensors, kept so that looking at the same memory again allocates nothing.
 *
 * <p>llama.cpp computes every graph in the same buffers: few places, used over and over.
 */
final class HostWindows {
  private static final int MOST = 1 << 14;

  private final LongTable<MemorySegment> windows = new LongTable<>();

  /** A host tensor's memory, from its first element to its last. */
  MemorySegment of(Tensor t, long bytes) {
    // Different tensors may begin at the same place.
    long key = t.data() * 31 + bytes;
    MemorySegment known = windows.get(key);
    if (known != null && known.address() == t.data() && known.byteSize() == bytes) {
      return known;
    }
    MemorySegment window = t.hostData();
    if (known == null) {
      if (windows.values().size() == MOST) {
        windows.clear();
      }
      windows.put(key, window);
    }
    return window;
  }
}
