package org.modeltracer.llama;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.modeltracer.llama.ffi.LlamaFunctions;
import org.modeltracer.llama.ffi.NativeMemory;
import org.modeltracer.llama.ffi.Upcalls;
import org.modeltracer.process.Trail;

/**
 * A model at work: its KV cache, its batch, its hook.
 *
 * <p>Calls may come from any thread, one at a time; they run on the runtime's native thread.
 */
public final class LlamaContext implements AutoCloseable {
  private static final int CANCELLED = 2;
  private static final String NO_SLOT = "failed to prepare ubatch";

  private final LlamaModel model;
  private final LlamaRuntime runtime;
  private final LlamaFunctions llama;
  private final ContextOptions options;
  private final Arena arena = Arena.ofShared();
  private final @Nullable EvalHook hook;
  private final @Nullable SilentCallback silent;
  private final ThreadPool threadPool;
  private final Batch batch;
  private final KvCache cache;
  private final int contextTokens;
  private final int sequenceTokens;
  private final int microBatch;
  private long address;
  private MemorySegment lastLogits = MemorySegment.NULL;
  private volatile boolean cancelled;
  private volatile boolean computing;
  private boolean held;

  LlamaContext(LlamaModel model, ContextOptions options, @Nullable SilentCallback silent) {
    this.silent = silent;
    this.model = model;
    this.runtime = model.runtime();
    this.options = options;
    llama = runtime.functions();
    refuseWhatAborts();
    hook =
        options.hooked() && silent == null ? new EvalHook(runtime, arena, () -> cancelled) : null;
    runtime.log().clear();
    Trail.own().step("setting up a context for", model.file());
    address = create();
    if (address == 0) {
      arena.close();
      throw new LlamaException(
          LlamaException.Kind.CONTEXT,
          "llama.cpp cannot set up a context: "
              + runtime.log().firstError("it gave no reason (not enough memory?)"));
    }
    adapt();
    threadPool = ThreadPool.attach(runtime, address, options);
    llama.pollWith(address, Upcalls.poll(userData -> cancelled, arena));
    contextTokens = llama.contextTokens(address);
    sequenceTokens = llama.sequenceTokens(address);
    microBatch = llama.microBatchTokens(address);
    batch = new Batch(arena, llama.batchTokens(address));
    cache = new KvCache(this, llama, address);
  }

  private void adapt() {
    try {
      model.adapters().apply(address);
    } catch (RuntimeException | Error e) {
      llama.free(address);
      arena.close();
      throw e;
    }
  }

  /** Settings that llama.cpp would not answer with an error but with the end of the process. */
  private void refuseWhatAborts() {
    boolean old = !runtime.layouts().context().has("op_offload");
    ContextOptions.Cache kept = options.cache();
    boolean f32 = kept.keys() == CacheType.F32 || kept.values() == CacheType.F32;
    if (old && f32 && options.flashAttention() == FlashAttention.ON) {
      throw LlamaException.naming(
          LlamaException.Kind.CONTEXT,
          "llama.cpp "
              + runtime.version()
              + " has no flash attention over an F32 cache; use {}, or {}",
          Setting.NO_FLASH_ATTENTION,
          Setting.F16_CACHE);
    }
    ContextOptions.Size size = options.size();
    if (options.sequences().count() > size.batch()) {
      throw LlamaException.naming(
          LlamaException.Kind.CONTEXT,
          "%d sequences take a {} of as many tokens, not %d"
              .formatted(options.sequences().count(), size.batch()),
          Setting.BATCH);
    }
    if (model.options().vocabularyOnly()) {
      throw new LlamaException(
          LlamaException.Kind.CONTEXT, "this model was loaded without weights, vocabulary only");
    }
  }

  private long create() {
    var params = new Params(arena, runtime.layouts().context(), llama::contextDefaults);
    params
        .set("n_ctx", options.size().tokens())
        .set("n_batch", options.size().batch())
        .set("n_ubatch", options.size().graph())
        .set("n_seq_max", options.sequences().count())
        .set("n_threads", options.threads())
        .set("n_threads_batch", options.threads())
        .set("type_k", options.cache().keys().ggmlType())
        .set("type_v", options.cache().values().ggmlType())
        .set("cb_eval", hook != null ? hook.address() : silent != null ? silent.function() : 0L)
        .set("cb_eval_user_data", silent != null ? silent.data() : 0L);
    if (params.has("flash_attn_type")) {
      params.set(
          "flash_attn_type",
          switch (options.flashAttention()) {
            case AUTO -> -1;
            case OFF -> 0;
            case ON -> 1;
          });
    } else {
      params.set("flash_attn", options.flashAttention() == FlashAttention.ON);
    }
    if (params.has("kv_unified")) {
      params.set("kv_unified", options.sequences().unified());
    }
    if (params.has("swa_full")) {
      params.set("swa_full", options.cache().fullWindow());
    }
    return llama.init(model.address(), params.memory());
  }

  /**
   * Runs the batch through the model.
   *
   * @throws LlamaException of kind DECODE when llama.cpp fails, CANCELLED when {@link #cancel} was
   *     called meanwhile
   * @throws IllegalStateException when called from a callback of a pass in progress
   */
  public void decode(Batch tokens) {
    if (runtime.onThread()) {
      compute(false, tokens);
    } else {
      runtime.run(() -> compute(false, tokens));
    }
  }

  /**
   * Runs the batch through the model's encoder.
   *
   * @throws LlamaException as {@link #decode} does, and when the batch is larger than a micro-batch
   */
  public void encode(Batch tokens) {
    runtime.run(() -> compute(true, tokens));
  }

  /**
   * Refuses a text that has to go through one graph and is too long for it: llama.cpp would end the
   * process over it.
   *
   * @throws LlamaException when there are more tokens than in a micro-batch
   */
  public void requireOneGraph(int tokens) {
    if (tokens > microBatch) {
      throw LlamaException.naming(
          LlamaException.Kind.ARGUMENT,
          "this model reads all of a text at once: %d tokens take a {} and a {} of as many, not %d"
              .formatted(tokens, microBatch),
          Setting.BATCH,
          Setting.MICRO_BATCH);
    }
  }

  private void compute(boolean encodes, Batch tokens) {
    requireIdle();
    if (encodes || !cache.exists()) {
      requireOneGraph(tokens.size());
    }
    if (tokens.size() == 0 || tokens.size() > batch.capacity()) {
      throw new LlamaException(
          LlamaException.Kind.ARGUMENT,
          tokens.size() + " tokens in a batch; this context takes 1 to " + batch.capacity());
    }
    tokens.check(model.vocabulary().size(), options.sequences().count());
    runtime.log().clear();
    Trail.own().pass(tokens.size(), tokens.position(0));
    int status;
    computing = true;
    try {
      status =
          encodes
              ? llama.encode(address(), tokens.struct())
              : llama.decode(address(), tokens.struct());
    } finally {
      computing = false;
    }
    Trail.own().step("between passes of");
    if (hook != null) {
      if (hook.wasCut()) {
        takeBack(tokens);
        status = CANCELLED;
      }
      hook.rethrow();
    }
    if (status != 0) {
      throw failure(status, tokens);
    }
  }

  /** Forgets what a pass that was cut short has written: all of it may be wrong. */
  private void takeBack(Batch tokens) {
    for (int i = 0; cache.exists() && i < tokens.size(); i++) {
      int sequence = tokens.sequence(i);
      int last = cache.lastPosition(sequence);
      // Recurrent memory has no parts: then the sequence begins anew.
      if (last >= tokens.position(i) && !cache.remove(sequence, tokens.position(i), -1)) {
        cache.remove(sequence, 0, -1);
      }
    }
  }

  private LlamaException failure(int status, Batch tokens) {
    if (status == CANCELLED) {
      return new LlamaException(LlamaException.Kind.CANCELLED, "the forward pass was cancelled");
    }
    // b4916 has no status of its own for a full cache.
    String begin =
        "llama.cpp cannot decode %d tokens from position %d: "
            .formatted(tokens.size(), tokens.position(0));
    if (status == 1 || runtime.log().firstError("").equals(NO_SLOT)) {
      return LlamaException.naming(
          LlamaException.Kind.DECODE,
          begin + "no room in the KV cache of " + contextTokens + " tokens; a larger {} makes room",
          Setting.CONTEXT);
    }
    String reason =
        switch (status) {
          case -1 -> runtime.log().firstError("invalid batch");
          case -2 -> runtime.log().firstError("out of memory");
          default -> runtime.log().firstError("status " + status);
        };
    return new LlamaException(LlamaException.Kind.DECODE, begin + reason);
  }

  /** Asks the forward pass in progress to end; may be called from any thread. */
  public void cancel() {
    cancelled = true;
  }

  /** Takes a {@link #cancel} back. */
  public void resume() {
    cancelled = false;
  }

  /** Whether cancelling was asked for. */
  public boolean cancelRequested() {
    return cancelled;
  }

  /** Sets what observes the next passes; null for nothing. */
  public void observe(@Nullable TensorObserver observer) {
    if (hook == null) {
      throw new LlamaException(
          LlamaException.Kind.ARGUMENT, "this context was set up without a hook");
    }
    hook.observer(observer);
  }

  /**
   * Logits of the batch's i-th token: {@code [vocabulary]} float32, until the next decode.
   *
   * @throws LlamaException when none were asked for at that index
   */
  public MemorySegment logits(int i) {
    requireIdle();
    long logits = llama.logits(address(), i);
    if (logits == 0) {
      throw new LlamaException(
          LlamaException.Kind.ARGUMENT, "no logits at index " + i + " of the last batch");
    }
    if (logits != lastLogits.address()) {
      long bytes = 4L * model.vocabulary().size();
      lastLogits = NativeMemory.at(logits, bytes, arena).asReadOnly();
    }
    return lastLogits;
  }

  /** The context's batch, to be cleared and filled for each decode. */
  public Batch batch() {
    return batch;
  }

  /** What the context remembers. */
  public KvCache cache() {
    return cache;
  }

  /** The model at work. */
  public LlamaModel model() {
    return model;
  }

  /** How the context was set up. */
  public ContextOptions options() {
    return options;
  }

  /** Most tokens one graph computes. */
  public int microBatchTokens() {
    return microBatch;
  }

  /** Tokens the KV cache holds, as llama.cpp rounded what was asked for. */
  public int contextTokens() {
    return contextTokens;
  }

  /** Tokens that one sequence can have: all of them, or its share where each has a stream. */
  public int sequenceTokens() {
    return sequenceTokens;
  }

  /**
   * Has llama.cpp's threads, which wait in a loop while an observer looks at a node, give their
   * processors back until it goes on. To be called by an observer.
   */
  public void restThreads() {
    threadPool.rest();
  }

  ThreadPool threadPool() {
    return threadPool;
  }

  <T> T call(Callable<T> task) {
    return runtime.call(task);
  }

  long address() {
    if (address == 0) {
      throw new IllegalStateException("this context is closed");
    }
    return address;
  }

  /**
   * Refuses what llama.cpp cannot do in the middle of a pass, where a callback may ask for it.
   *
   * @throws IllegalStateException when a pass is in progress
   */
  void requireIdle() {
    if (computing) {
      throw new IllegalStateException(
          "busy: this context is computing a pass; a callback of that pass cannot use or close it");
    }
  }

  /** Refuses, besides, what cannot be done to a context that {@link #hold} holds. */
  void requireFree() {
    requireIdle();
    if (held) {
      throw new IllegalStateException(
          "busy: this session is at work; a listener or callback of it cannot run it, read its"
              + " cache or close it (cancel() ends the pass)");
    }
  }

  /**
   * Does work of several passes on the native thread, in which nobody else holds or closes this
   * context.
   *
   * @throws IllegalStateException when called from a callback of such work, or of a pass
   */
  public <T extends @Nullable Object> T hold(Callable<T> work) {
    return runtime.call(
        () -> {
          requireFree();
          held = true;
          try {
            return work.call();
          } finally {
            held = false;
          }
        });
  }

  /**
   * Frees the context and everything it holds; does nothing the second time.
   *
   * @throws IllegalStateException when called from a callback of a pass or of a session at work
   */
  @Override
  public void close() {
    runtime.run(
        () -> {
          requireFree();
          if (address != 0) {
            free();
          }
        });
  }

  private void free() {
    llama.free(address);
    address = 0;
    threadPool.close();
    arena.close();
    model.closed(this);
  }
}
