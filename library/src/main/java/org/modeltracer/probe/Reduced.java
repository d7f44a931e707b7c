package org.modeltracer.probe;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;
import org.modeltracer.llama.Tensor;
import org.modeltracer.model.RunningStats;

/** What has been computed of a node where it ran, and need not be computed of its values again. */
public interface Reduced {
  /** Nothing. */
  Reduced NOTHING =
      new Reduced() {
        @Override
        public boolean addTo(RunningStats stats, Tensor node) {
          return false;
        }

        @Override
        public @Nullable MemorySegment rows(Tensor fused) {
          return null;
        }
      };

  /** Puts the statistics of a node's values into an empty set; false when they are not known. */
  boolean addTo(RunningStats stats, Tensor node);

  /**
   * The softmax rows of a fused attention, dense float32 {@code [stream, head, query, key]}; null
   * when they are not known. Rows of heads that nobody wants may be zero.
   */
  @Nullable MemorySegment rows(Tensor fused);
}
