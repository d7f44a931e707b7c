package org.modeltracer.llama;

/**
 * How to set up a context.
 *
 * @param contextTokens tokens the KV cache holds; 0 for the model's trained context
 * @param batch most tokens one decode takes
 * @param microBatch most tokens one graph computes
 * @param sequences most sequences at a time
 * @param threads threads for single tokens
 * @param batchThreads threads for prompts
 * @param flashAttention fused attention
 * @param keyType element type of cached keys
 * @param valueType element type of cached values
 * @param unifiedCache whether all sequences share one stream of cells, where the library has a
 *     choice
 * @param fullWindowCache whether sliding-window layers keep all cells, where the library has a
 *     choice
 * @param embeddings whether to produce embeddings beside logits
 * @param hooked whether the forward pass is observed at all
 */
public record ContextOptions(
    int contextTokens,
    int batch,
    int microBatch,
    int sequences,
    int threads,
    int batchThreads,
    FlashAttention flashAttention,
    CacheType keyType,
    CacheType valueType,
    boolean unifiedCache,
    boolean fullWindowCache,
    boolean embeddings,
    boolean hooked) {

  /** Refuses numbers that llama.cpp would take for something else. */
  public ContextOptions {
    require("context tokens", contextTokens, 0);
    require("batch", batch, 1);
    require("micro batch", microBatch, 1);
    require("sequences", sequences, 1);
    require("threads", threads, 1);
    require("batch threads", batchThreads, 1);
  }

  private static void require(String what, int value, int least) {
    if (value < least) {
      throw new LlamaException(
          LlamaException.Kind.ARGUMENT, what + " must be at least " + least + ", not " + value);
    }
  }

  /** One sequence, F16 cache, one thread, llama.cpp's batch sizes, hooked. */
  public static ContextOptions defaults() {
    return new ContextOptions(
        0,
        2048,
        512,
        1,
        1,
        1,
        FlashAttention.AUTO,
        CacheType.F16,
        CacheType.F16,
        false,
        true,
        false,
        true);
  }

  /** The same with room for that many tokens. */
  public ContextOptions withContextTokens(int tokens) {
    return new ContextOptions(
        tokens,
        batch,
        microBatch,
        sequences,
        threads,
        batchThreads,
        flashAttention,
        keyType,
        valueType,
        unifiedCache,
        fullWindowCache,
        embeddings,
        hooked);
  }

  /** The same with other batch sizes. */
  public ContextOptions withBatch(int tokens, int microTokens) {
    return new ContextOptions(
        contextTokens,
        tokens,
        microTokens,
        sequences,
        threads,
        batchThreads,
        flashAttention,
        keyType,
        valueType,
        unifiedCache,
        fullWindowCache,
        embeddings,
        hooked);
  }

  /** The same with that many sequences, in one stream of cells or in one each. */
  public ContextOptions withSequences(int count, boolean unified) {
    return new ContextOptions(
        contextTokens,
        batch,
        microBatch,
        count,
        threads,
        batchThreads,
        flashAttention,
        keyType,
        valueType,
        unified,
        fullWindowCache,
        embeddings,
        hooked);
  }

  /** The same with that many threads for everything. */
  public ContextOptions withThreads(int count) {
    return new ContextOptions(
        contextTokens,
        batch,
        microBatch,
        sequences,
        count,
        count,
        flashAttention,
        keyType,
        valueType,
        unifiedCache,
        fullWindowCache,
        embeddings,
        hooked);
  }

  /** The same with flash attention on, off or as llama.cpp likes. */
  public ContextOptions withFlashAttention(FlashAttention choice) {
    return new ContextOptions(
        contextTokens,
        batch,
        microBatch,
        sequences,
        threads,
        batchThreads,
        choice,
        keyType,
        valueType,
        unifiedCache,
        fullWindowCache,
        embeddings,
        hooked);
  }

  /** The same with other cache types. */
  public ContextOptions withCacheTypes(CacheType keys, CacheType values) {
    return new ContextOptions(
        contextTokens,
        batch,
        microBatch,
        sequences,
        threads,
        batchThreads,
        flashAttention,
        keys,
        values,
        unifiedCache,
        fullWindowCache,
        embeddings,
        hooked);
  }

  /** The same with sliding-window layers keeping all cells, or only their window. */
  public ContextOptions withFullWindowCache(boolean full) {
    return new ContextOptions(
        contextTokens,
        batch,
        microBatch,
        sequences,
        threads,
        batchThreads,
        flashAttention,
        keyType,
        valueType,
        unifiedCache,
        full,
        embeddings,
        hooked);
  }

  /** The same with embeddings produced, or not. */
  public ContextOptions withEmbeddings(boolean produce) {
    return new ContextOptions(
        contextTokens,
        batch,
        microBatch,
        sequences,
        threads,
        batchThreads,
        flashAttention,
        keyType,
        valueType,
        unifiedCache,
        fullWindowCache,
        produce,
        hooked);
  }

  /** The same with or without the hook. */
  public ContextOptions withHook(boolean installed) {
    return new ContextOptions(
        contextTokens,
        batch,
        microBatch,
        sequences,
        threads,
        batchThreads,
        flashAttention,
        keyType,
        valueType,
        unifiedCache,
        fullWindowCache,
        embeddings,
        installed);
  }
}
