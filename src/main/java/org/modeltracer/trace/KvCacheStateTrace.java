package org.modeltracer.trace;

/**
 * State of the KV cache after one step.
 *
 * @param step step of the session, from 0
 * @param cellsUsed cells that hold a position
 * @param capacity cells there are
 * @param bytes size of the used cells over all layers, in bytes
 * @param evictions cells dropped in this step
 * @param hitRate positions reused over positions looked up, 0 to 1; NaN when none was looked up
 * @param oldestPosition smallest position held, -1 when empty
 * @param fragmentation 1 − longest run of used cells / used cells, 0 to 1
 * @param accessedPositions positions that received attention above the threshold, -1 when attention
 *     was not traced
 */
public record KvCacheStateTrace(
    int step,
    int cellsUsed,
    int capacity,
    long bytes,
    int evictions,
    double hitRate,
    int oldestPosition,
    double fragmentation,
    int accessedPositions) {

  /** Used cells over all cells, 0 to 1. */
  public double utilization() {
    return capacity == 0 ? 0 : (double) cellsUsed / capacity;
  }
}
