package org.modeltracer.session;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.modeltracer.cache.CacheGroup;
import org.modeltracer.graph.GraphNode;
import org.modeltracer.graph.TokenAxis;
import org.modeltracer.llama.Batch;
import org.modeltracer.llama.LlamaContext;
import org.modeltracer.llama.LlamaException;
import org.modeltracer.llama.Tensor;
import org.modeltracer.llama.TensorObserver;
import org.modeltracer.probe.ForwardProbe;
import org.modeltracer.probe.Ubatch;

/** A pass of a session's context, run again in the session's own cache. */
final class PassReplay implements Replay {
  private final LlamaContext context;
  private final ForwardProbe probe;
  private final TracedCache cache;
  private final int forward;
  private final boolean encodes;

  /** A pass of the decoder, or of the encoder where there is no decoder. */
  PassReplay(LlamaContext context, ForwardProbe probe, TracedCache cache, int forward) {
    this(context, probe, cache, forward, encoderAlone(context));
  }

  private PassReplay(
      LlamaContext context, ForwardProbe probe, TracedCache cache, int forward, boolean encodes) {
    this.context = context;
    this.probe = probe;
    this.cache = cache;
    this.forward = forward;
    this.encodes = encodes;
  }

  /** The pass in which an encoder read what its decoder attends to. */
  static PassReplay ofEncoder(
      LlamaContext context, ForwardProbe probe, TracedCache cache, int forward) {
    return new PassReplay(context, probe, cache, forward, true);
  }

  private static boolean encoderAlone(LlamaContext context) {
    return context.model().hasEncoder() && !context.model().hasDecoder();
  }

  @Override
  public int forward() {
    return forward;
  }

  @Override
  public LlamaContext context() {
    return context;
  }

  @Override
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

  /**
   * Takes the batch's tokens out of the cache. Where a sequence goes on, a recurrent model's memory
   * refuses; where one begins, nothing does. So those that go on are asked first, while all is
   * still as it was.
   */
  private boolean rewind(Batch batch) {
    Map<Integer, Integer> first = new TreeMap<>();
    for (int i = 0; i < batch.size(); i++) {
      first.merge(batch.sequence(i), batch.position(i), Math::min);
    }
    boolean some = false;
    var goingOnFirst = new ArrayList<>(first.entrySet());
    goingOnFirst.sort(Map.Entry.comparingByValue(Comparator.comparing(from -> from == 0)));
    for (var sequence : goingOnFirst) {
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

  @Override
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

  @Override
  public long graph() {
    return probe.graphs();
  }

  @Override
  public int firstLayer() {
    return probe.firstLayer();
  }

  @Override
  public boolean computes(Tensor node) {
    return probe.computes(node);
  }

  @Override
  public int tokensOfGraph() {
    return probe.tokens().size();
  }

  @Override
  public @Nullable TokenAxis axis(GraphNode node) {
    return probe.axis(node);
  }

  @Override
  public int position(long row, boolean ofOutputs) {
    Ubatch tokens = probe.tokens();
    int known = tokens.rowOf(row, ofOutputs);
    return known < 0 ? -1 : tokens.position(known);
  }

  @Override
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
