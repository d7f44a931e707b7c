package org.modeltracer.trace;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One of the KV caches of a session: that of all layers, or of the layers with a sliding window.
 *
 * @param layers layers that keep their keys and values in it
 * @param capacity cells there are
 * @param streams parts that it is divided into: 1, or one for each sequence
 * @param cellsUsed cells that hold a position
 * @param peakCells most of them at the end of a step
 * @param bytes size of the used cells, in bytes
 * @param allocatedBytes size of all cells, in bytes
 * @param evictions cells dropped since the session began
 * @param oldestPosition smallest position held, of all sequences, null when empty
 */
public record KvCacheTrace(
    List<Integer> layers,
    int capacity,
    int streams,
    int cellsUsed,
    int peakCells,
    long bytes,
    long allocatedBytes,
    long evictions,
    @Nullable Integer oldestPosition) {}
