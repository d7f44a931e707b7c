package org.modeltracer.session;

import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.modeltracer.cache.CacheGroup;
import org.modeltracer.llama.Batch;
import org.modeltracer.llama.LlamaContext;
import org.modeltracer.llama.LlamaException;
import org.modeltracer.llama.Tensor;
import org.modeltracer.llama.TensorObserver;
import org.modeltracer.probe.ForwardProbe;
import org.modeltracer.probe.Ubatch;

/**
 * A pass that was just traced and can be run again, to be watched more closely.
 *
 * <p>Running it again takes its tokens out of the KV cache and decodes the same batch: what the
 * cache holds, what the session knows of it and the logits are afterwards what they were. Nothing
 * of it is recorded. Valid only during the call that handed it over, on the native thread.
 */
public final class Replay {
  /**
   * What a cell of a KV cache holds.
   *
   * @param position of its token
   * @param forward index of the pass that wrote it
   */
  public record Cell(int position, int forward) {}

  private final LlamaContext context;
  private final ForwardProbe probe;
  private final TracedCache cache;
  private final int forward;
  private final boolean encodes;

  /** A pass of the decoder, or of the encoder where there is no decoder. */
  Replay(LlamaContext context, ForwardProbe probe, TracedCache cache, int forward) {
    this(context, probe, cache, forward, encoderAlone(context));
  }

  private Replay(
      LlamaContext context, ForwardProbe probe, TracedCache cache, int forward, boolean encodes) {
    this.context = context;
    this.probe = probe;
    this.cache = cache;
    this.forward = forward;
    this.encodes = encodes;
  }

  /** The pass in which an encoder read what its decoder attends to. */
  static Replay ofEncoder(
      LlamaContext context, ForwardProbe probe, TracedCache cache, int forward) {
    return new Replay(context, probe, cache, forward, true);
  }

  private static boolean encoderAlone(LlamaContext context) {
    return context.model().hasEncoder() && !context.model().hasDecoder();
  }

  /** Index of the pass. */
  public int forward() {
    return forward;
  }

  /** The context that runs it. */
  public LlamaContext context() {
    return context;
  }

  /**
   * Decodes the batch again under an observer.
   *
   * @return false when the model's memory cannot be taken back to where it was before the pass
   * @throws org.modeltracer.llama.LlamaException when llama.cpp fails, or the pass is cancelled
   */
  public boolean run(TensorObserver watch) {
    Batch batch = context.batch();
    if (!encodes && cache.exists() && !rewind(batch) && !rebuild(batch)) {
      return false;
    }
    decode(batch, watch);
    return true;
  }

  private void decode(Batch batch, TensorObserver watch) {
    probe.begin(batch, forward);
    context.observe(new Follower(probe, watch));
    try {
      compute(context, batch, encodes);
    } finally {
      context.observe(null);
    }
  }

  /** Runs a batch through the decoder, or the encoder where there is no decoder. */
  static void compute(LlamaContext context, Batch batch) {
    compute(context, batch, encoderAlone(context));
  }

  private static void compute(LlamaContext context, Batch batch, boolean encodes) {
    if (encodes) {
      context.encode(batch);
    } else {
      context.decode(batch);
    }
  }

  private boolean rewind(Batch batch) {
    Map<Integer, Integer> first = new TreeMap<>();
    for (int i = 0; i < batch.size(); i++) {
      first.merge(batch.sequence(i), batch.position(i), Math::min);
    }
    boolean some = false;
    for (var sequence : first.entrySet()) {
      if (cache.rewind(sequence.getKey(), sequence.getValue())) {
        some = true;
      } else if (some) {
        throw new LlamaException(
            LlamaException.Kind.DECODE, "the model's memory was taken back in part only");
      } else {
        return false;
      }
    }
    return true;
  }

  /** Recurrent memory cannot be cut: all earlier tokens are computed again, if they are known. */
  private boolean rebuild(Batch batch) {
    int[] all = history();
    int from = all.length - batch.size();
    if (from < 0) {
      return false;
    }
    boolean[] outputs = new boolean[batch.size()];
    for (int i = 0; i < outputs.length; i++) {
      outputs[i] = batch.output(i);
    }
    cache.rewindAll();
    for (int done = 0; done < from; done += batch.capacity()) {
      batch.clear();
      for (int i = done; i < Math.min(from, done + batch.capacity()); i++) {
        batch.add(all[i], i, 0, false);
      }
      decode(batch, new Idle());
    }
    batch.clear();
    for (int i = 0; i < outputs.length; i++) {
      batch.add(all[from + i], from + i, 0, outputs[i]);
    }
    return true;
  }

  /**
   * Tokens from position 0 to the end of the pass; empty when the session does not know them, as
   * with several sequences, and where they are not all that the pass depends on, as in a model of
   * an encoder and a decoder.
   */
  public int[] history() {
    if (context.model().hasEncoder() && context.model().hasDecoder()) {
      return new int[0];
    }
    Batch batch = context.batch();
    int[] all = cache.held().whole();
    int end = all.length;
    boolean known = end >= batch.size();
    for (int i = 0; known && i < batch.size(); i++) {
      known = batch.sequence(i) == 0 && batch.position(i) == end - batch.size() + i;
    }
    return known ? all : new int[0];
  }

  /** Number of tokens in the pass. */
  public int tokens() {
    return context.batch().size();
  }

  /** What is added to the layer number in a node's name: not 0 in an encoder beside a decoder. */
  public int firstLayer() {
    return probe.firstLayer();
  }

  /** Token position of the pass's first token. */
  public int firstPosition() {
    return context.batch().position(0);
  }

  /** While running: whether a node has values at all. */
  public boolean computes(Tensor node) {
    return probe.computes(node);
  }

  /** While running: number of tokens in the graph at hand. */
  public int rows() {
    return probe.tokens().size();
  }

  /** While running: number of tokens in the graph at hand whose logits are wanted. */
  public int outputs() {
    return probe.tokens().outputs();
  }

  /** While running: token position behind row {@code row} of {@code rows}: all or the outputs'. */
  public int position(int row, long rows) {
    Ubatch tokens = probe.tokens();
    return tokens.position(tokens.rowOf(row, rows));
  }

  /** What a cell of the cache of a layer holds, null when it holds no token. */
  public @Nullable Cell cell(int layer, int cell) {
    CacheGroup of = cache.layout().ofLayer(layer);
    if (of == null || cell >= of.cells().cells() || of.cells().position(cell) < 0) {
      return null;
    }
    return new Cell(of.cells().position(cell), of.cells().pass(cell));
  }

  /** Keeps the session's knowledge of rows and cells up to date while another observer watches. */
  private record Follower(ForwardProbe probe, TensorObserver watch) implements TensorObserver {
    @Override
    public boolean wants(Tensor node) {
      probe.wants(node);
      return watch.wants(node);
    }

    @Override
    public void observe(Tensor node) {
      watch.observe(node);
    }
  }

  private record Idle() implements TensorObserver {
    @Override
    public boolean wants(Tensor node) {
      return false;
    }

    @Override
    public void observe(Tensor node) {}
  }
}
