package org.modeltracer.cache;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.modeltracer.trace.KvCacheTrace;

/**
 * Caches of layers that llama.cpp fills alike, cell by cell: one map of cells for all of them.
 *
 * <p>Most models have one group; one with sliding windows has another for the layers that have a
 * window.
 */
public final class CacheGroup {
  private final CellMap cells;
  private final int streamCells;
  private final int streams;
  private final long writer;
  private final List<CacheTensor> tensors = new ArrayList<>();
  private long bytesPerCell;
  private long bytes;
  private int evicted;
  private long evictions;
  private int peak;
  private boolean recycles;

  /**
   * A group without tensors.
   *
   * @param writer address of the cache whose writes tell the cells, 0 when none does
   */
  CacheGroup(int cells, int streams, int sequences, long writer) {
    this.cells = new CellMap(cells, sequences);
    this.streams = streams;
    this.writer = writer;
    streamCells = cells / streams;
  }

  void add(CacheTensor tensor) {
    tensors.add(tensor);
    bytes += tensor.bytes();
    bytesPerCell += tensor.bytes() / cells.cells();
  }

  /** Keys and values of the group's layers, in the order of the graph. */
  List<CacheTensor> tensors() {
    return tensors;
  }

  /** What each cell holds, streams one after the other. */
  public CellMap cells() {
    return cells;
  }

  /** Cells of one stream. */
  public int streamCells() {
    return streamCells;
  }

  /** Number of streams: 1, or one for each sequence. */
  public int streams() {
    return streams;
  }

  /** Whether the writes of this cache tell where tokens go. */
  public boolean writtenBy(long address) {
    return writer == address;
  }

  /** Cells without a token where a sequence's tokens may go. */
  public int free(int sequence) {
    return cells.free(streams > 1 ? sequence : 0, streamCells);
  }

  /** So many cells lost what they held. */
  public void evict(int count) {
    evicted += count;
  }

  /** So many cells lost what they held to new tokens, as happens in a cache for windows only. */
  public void recycle(int count) {
    recycles |= count > 0;
    evict(count);
  }

  /** Whether cells are used again before anybody has removed what they hold. */
  boolean recycles() {
    return recycles;
  }

  /** Cells that lost what they held since the last step. */
  public int evicted() {
    return evicted;
  }

  /** A step has been recorded. */
  public void endStep() {
    evictions += evicted;
    evicted = 0;
    peak = Math.max(peak, cells.used());
  }

  /** Bytes of the cells in use. */
  public long bytesUsed() {
    return cells.used() * bytesPerCell;
  }

  /** 1 − longest run of used cells / used cells, streams taken each for itself. */
  public double fragmentation() {
    int used = cells.used();
    return used == 0 ? 0 : 1 - (double) cells.longestRuns(streamCells) / used;
  }

  /** What is reported of the group. */
  public KvCacheTrace trace() {
    return new KvCacheTrace(
        tensors.stream().map(CacheTensor::layer).distinct().sorted().toList(),
        cells.cells(),
        streams,
        cells.used(),
        peak,
        bytesUsed(),
        bytes,
        evictions,
        oldestPosition());
  }

  /** Smallest position held, of all sequences, null when empty. */
  public @Nullable Integer oldestPosition() {
    return cells.used() == 0 ? null : cells.oldest();
  }
}
