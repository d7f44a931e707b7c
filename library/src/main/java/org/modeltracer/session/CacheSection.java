package org.modeltracer.session;

import java.util.List;
import org.jspecify.annotations.Nullable;
import org.modeltracer.cache.CacheStatistics;
import org.modeltracer.trace.KvCacheTrace;

/**
 * What a session adds to the summary's account of the KV cache.
 *
 * @param caches each cache
 * @param contents what was read of them last; null when nothing was
 */
record CacheSection(List<KvCacheTrace> caches, @Nullable CacheStatistics contents) {}
