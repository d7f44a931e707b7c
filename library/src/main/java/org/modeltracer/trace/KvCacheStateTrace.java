package org.modeltracer.trace;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyOrder;
import org.jspecify.annotations.Nullable;

/**
 * State of the KV cache after one step.
 *
 * <p>Where layers with a sliding window have a cache of their own, cells are those of the other,
 * larger one; bytes are those of both.
 *
 * @param step step of the session, from 0: one for each batch submitted
 * @param cellsUsed cells that hold a token
 * @param capacity cells there are
 * @param bytes size of the used cells over all layers, in bytes
 * @param evictions cells that lost what they held since the step before: removed, overwritten,
 *     shifted out
 * @param hitRate of the prompt that this step begins, positions reused from the cache over
 *     positions looked up, 0 to 1; NaN when the step looked none up
 * @param oldestPosition smallest position held, of all sequences, null when empty
 * @param fragmentation 1 − longest run of used cells / used cells, 0 to 1; streams of cells are
 *     taken each for itself
 * @param accessedPositions tokens held that received attention at or above the weight threshold in
 *     this step, in any traced layer and head; null when attention was not traced
 */
@JsonPropertyOrder({"step", "cells_used", "capacity", "utilization"})
public record KvCacheStateTrace(
    int step,
    int cellsUsed,
    int capacity,
    long bytes,
    int evictions,
    double hitRate,
    @Nullable Integer oldestPosition,
    double fragmentation,
    @Nullable Integer accessedPositions) {

  /** Used cells over all cells, 0 to 1. */
  @JsonProperty
  public double utilization() {
    return capacity == 0 ? 0 : (double) cellsUsed / capacity;
  }
}
