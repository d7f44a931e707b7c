package org.modeltracer.session;

import java.util.List;
import org.jspecify.annotations.Nullable;
import org.modeltracer.cache.CacheGroup;
import org.modeltracer.cache.CacheLayout;
import org.modeltracer.cache.CacheStatistics;
import org.modeltracer.trace.KvCacheTrace;

/**
 * What a session adds to the summary's account of the KV cache.
 *
 * @param caches each cache
 * @param contents what was read of them last; null when nothing was
 */
public record CacheSection(List<KvCacheTrace> caches, @Nullable CacheStatistics contents) {
  /** The same of the caches that a layout has. */
  public static CacheSection of(CacheLayout layout, @Nullable CacheStatistics contents) {
    return new CacheSection(layout.all().stream().map(CacheGroup::trace).toList(), contents);
  }
}
