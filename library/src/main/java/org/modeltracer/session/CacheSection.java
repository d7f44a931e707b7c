package org.modeltracer.session;

import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.modeltracer.cache.CacheStatistics;
import org.modeltracer.trace.SummarySection;

/** What a session adds to the summary's account of the KV cache: each cache, and its contents. */
final class CacheSection implements SummarySection {
  private final TracedCache cache;
  private volatile @Nullable CacheStatistics read;

  CacheSection(TracedCache cache) {
    this.cache = cache;
  }

  /** Keeps what was read of the cache last. */
  void add(CacheStatistics statistics) {
    read = statistics;
  }

  @Override
  public String name() {
    return "kv_cache";
  }

  @Override
  public Object toJson() {
    Map<String, @Nullable Object> object = new LinkedHashMap<>();
    object.put("caches", cache.caches());
    object.put("contents", read);
    return object;
  }
}
