package org.modeltracer.llama;

import org.modeltracer.gguf.GgufFile;

/**
 * How to set up a context.
 *
 * @param size how many tokens it takes
 * @param sequences how many texts it holds side by side
 * @param cache how keys and values are kept
 * @param flashAttention fused attention
 * @param threads threads that compute
 * @param hooked whether the forward pass is observed at all
 */
public record ContextOptions(
    Size size,
    Sequences sequences,
    Cache cache,
    FlashAttention flashAttention,
    int threads,
    boolean hooked) {
  private static final long SMALL_MODEL = 200L << 20;

  /**
   * Numbers of tokens.
   *
   * @param tokens what the KV cache holds; 0 for the model's trained context
   * @param batch most that one decode takes
   * @param microBatch most that one graph computes
   */
  public record Size(int tokens, int batch, int microBatch) {
    /** Refuses numbers that llama.cpp would take for something else. */
    public Size {
      require("context tokens", tokens, 0);
      require("batch", batch, 1);
      require("micro batch", microBatch, 1);
    }

    /** Most tokens that one graph computes: no more than one decode takes. */
    int graph() {
      return Math.min(microBatch, batch);
    }
  }

  /**
   * Texts side by side.
   *
   * @param count most at a time
   * @param unified whether they share one stream of cells, where the library has a choice
   */
  public record Sequences(int count, boolean unified) {
    /** Refuses a context for nothing. */
    public Sequences {
      require("sequences", count, 1);
    }
  }

  /**
   * What stays of earlier tokens.
   *
   * @param keys element type of keys
   * @param values element type of values
   * @param fullWindow whether sliding-window layers keep all cells, where the library has a choice
   */
  public record Cache(CacheType keys, CacheType values, boolean fullWindow) {}

  /** Refuses to compute without a thread. */
  public ContextOptions {
    require("threads", threads, 1);
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
        new Size(0, 2048, 512),
        new Sequences(1, false),
        new Cache(CacheType.F16, CacheType.F16, true),
        FlashAttention.AUTO,
        1,
        true);
  }

  /** The same with room for that many tokens. */
  public ContextOptions withContextTokens(int tokens) {
    return withSize(new Size(tokens, size.batch, size.microBatch));
  }

  /** The same with other batch sizes. */
  public ContextOptions withBatch(int tokens, int microTokens) {
    return withSize(new Size(size.tokens, tokens, microTokens));
  }

  private ContextOptions withSize(Size other) {
    return new ContextOptions(other, sequences, cache, flashAttention, threads, hooked);
  }

  /** The same with that many sequences, in one stream of cells or in one each. */
  public ContextOptions withSequences(int count, boolean unified) {
    var other = new Sequences(count, unified);
    return new ContextOptions(size, other, cache, flashAttention, threads, hooked);
  }

  /** The same with other cache types. */
  public ContextOptions withCacheTypes(CacheType keys, CacheType values) {
    return withCache(new Cache(keys, values, cache.fullWindow));
  }

  /** The same with sliding-window layers keeping all cells, or only their window. */
  public ContextOptions withFullWindowCache(boolean full) {
    return withCache(new Cache(cache.keys, cache.values, full));
  }

  private ContextOptions withCache(Cache other) {
    return new ContextOptions(size, sequences, other, flashAttention, threads, hooked);
  }

  /** The same with flash attention on, off or as llama.cpp likes. */
  public ContextOptions withFlashAttention(FlashAttention choice) {
    return new ContextOptions(size, sequences, cache, choice, threads, hooked);
  }

  /** The same with that many threads. */
  public ContextOptions withThreads(int count) {
    return new ContextOptions(size, sequences, cache, flashAttention, count, hooked);
  }

  /** The same with that many threads, or where that is 0 with as many as suit a model. */
  public ContextOptions withThreads(int count, GgufFile model) {
    // Threads that wait by spinning cost a toy model more than they give.
    boolean small = model.size() < SMALL_MODEL;
    int usual = small ? 1 : Runtime.getRuntime().availableProcessors();
    return withThreads(count > 0 ? count : usual);
  }

  /** The same with or without the hook. */
  public ContextOptions withHook(boolean installed) {
    return new ContextOptions(size, sequences, cache, flashAttention, threads, installed);
  }
}
