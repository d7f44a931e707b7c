package org.modeltracer.trace;

import java.util.List;

/**
 * What was seen of the KV cache over the run.
 *
 * @param steps number of states recorded
 * @param evictions cells that lost what they held
 * @param hitRate mean hit rate of the steps that looked a prompt up, 0 to 1; NaN when none did
 * @param peakCells most cells in use
 * @param peakBytes their size
 * @param highEviction whether cells were lost at a high rate
 * @param thrashing whether they were lost while lookups failed
 * @param lastSteps the last states
 */
record KvCacheSummary(
    long steps,
    long evictions,
    double hitRate,
    int peakCells,
    long peakBytes,
    boolean highEviction,
    boolean thrashing,
    List<KvCacheStateTrace> lastSteps) {}
