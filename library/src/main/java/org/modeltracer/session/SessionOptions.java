package org.modeltracer.session;

import java.util.EnumSet;
import java.util.Set;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.SamplerOptions;
import org.modeltracer.model.Site;
import org.modeltracer.trace.TracerConfig;

/**
 * How to run a model under a tracer.
 *
 * @param context the context to make
 * @param sampler how tokens are chosen
 * @param cache what is done with what the cache holds, for a new prompt and when it is full
 * @param extraSites places to watch beside those that the tracer's configuration implies and
 *     listeners want
 * @param copyBuffers whether host tensors too are read through their backend, as others must be
 */
public record SessionOptions(
    ContextOptions context,
    SamplerOptions sampler,
    CachePolicy cache,
    Set<Site> extraSites,
    boolean copyBuffers) {

  private static final Set<Site> ACTIVATIONS =
      Set.copyOf(
          EnumSet.of(
              Site.EMBEDDING,
              Site.ATTN_NORM,
              Site.CONTEXT,
              Site.ATTN_OUT,
              Site.CROSS_OUT,
              Site.FFN_NORM,
              Site.FFN_HIDDEN,
              Site.FFN_OUT,
              Site.LAYER_OUT,
              Site.FINAL_NORM,
              Site.LOGITS));

  /** A context by default, greedy, prefixes reused. */
  public static SessionOptions defaults() {
    return new SessionOptions(
        ContextOptions.defaults(),
        SamplerOptions.greedy(),
        CachePolicy.defaults(),
        Set.of(),
        false);
  }

  /** The same with another context. */
  public SessionOptions withContext(ContextOptions other) {
    return new SessionOptions(other, sampler, cache, extraSites, copyBuffers);
  }

  /** The same with another way to choose tokens. */
  public SessionOptions withSampler(SamplerOptions other) {
    return new SessionOptions(context, other, cache, extraSites, copyBuffers);
  }

  /** The same with more places watched. */
  public SessionOptions withExtraSites(Set<Site> sites) {
    return new SessionOptions(context, sampler, cache, sites, copyBuffers);
  }

  /** The same with prefixes reused, or every prompt computed afresh. */
  public SessionOptions withReusePrefix(boolean reuse) {
    return withCache(cache.withReusePrefix(reuse));
  }

  /** The same with another policy for the cache. */
  public SessionOptions withCache(CachePolicy policy) {
    return new SessionOptions(context, sampler, policy, extraSites, copyBuffers);
  }

  /** The same with all tensors read through their backend, or host memory read in place. */
  public SessionOptions withCopyBuffers(boolean copy) {
    return new SessionOptions(context, sampler, cache, extraSites, copy);
  }

  /** Places to watch for what a tracer is to record. */
  public Set<Site> sites(TracerConfig config) {
    var sites = EnumSet.noneOf(Site.class);
    sites.addAll(extraSites);
    if (config.activations()) {
      // What a quantized product swallows shows only before it: norms, context, hidden layer.
      sites.addAll(ACTIVATIONS);
      sites.add(Site.EXPERTS);
    }
    if (config.attention()) {
      sites.add(Site.ATTENTION);
    }
    return sites;
  }
}
