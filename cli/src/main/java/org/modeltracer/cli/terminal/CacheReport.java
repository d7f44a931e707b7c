package org.modeltracer.cli.terminal;

import java.util.List;
import org.jspecify.annotations.Nullable;
import org.modeltracer.cache.CacheStatistics;
import org.modeltracer.model.TensorStats;
import org.modeltracer.trace.KvCacheTrace;

/** The KV cache at the end of a run, for a person at a terminal. */
public final class CacheReport {
  private final Terminal terminal;

  public CacheReport(Terminal terminal) {
    this.terminal = terminal;
  }

  /** Each cache in a line, and what they hold if that was read. */
  public void print(List<KvCacheTrace> caches, @Nullable CacheStatistics read) {
    boolean several = caches.size() > 1;
    for (KvCacheTrace cache : caches) {
      terminal.println(
          "KV cache%s: %d of %d cells in use (%.0f %%), %d at most, %s of %s; %d evicted."
              .formatted(
                  several ? " of " + layers(cache) : "",
                  cache.cellsUsed(),
                  cache.capacity(),
                  100.0 * cache.cellsUsed() / cache.capacity(),
                  cache.peakCells(),
                  bytes(cache.bytes()),
                  bytes(cache.allocatedBytes()),
                  cache.evictions()));
    }
    contents(read);
  }

  private static String layers(KvCacheTrace cache) {
    int n = cache.layers().size();
    return n == 1
        ? "layer " + cache.layers().getFirst()
        : n + " layers (" + cache.layers().getFirst() + "…" + cache.layers().getLast() + ")";
  }

  private static String bytes(long n) {
    return n >= 1 << 20 ? "%.1f MiB".formatted(n / 1048576.0) : "%.1f KiB".formatted(n / 1024.0);
  }

  private void contents(@Nullable CacheStatistics read) {
    if (read == null) {
      return;
    }
    terminal.println(
        terminal.styled(
            "@|bold layer      type       min       max      mean       std   NaN   inf|@"));
    for (CacheStatistics.Part part : read.layers()) {
      TensorStats s = part.stats();
      terminal.println(
          "%5d %s %8s %9.3g %9.3g %9.2g %9.3g %5d %5d"
              .formatted(
                  part.layer(),
                  part.part(),
                  part.type(),
                  s.min(),
                  s.max(),
                  s.mean(),
                  s.std(),
                  s.nan(),
                  s.inf()));
    }
    terminal.println(
        read.poisonedCells() == 0
            ? "No cell in use is poisoned."
            : read.poisonedCells() + " poisoned cells of keys and values, layer by layer.");
  }
}
