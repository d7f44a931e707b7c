package org.modeltracer.sparse;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.modeltracer.graph.NodeIdentity;
import org.modeltracer.graph.NodeTable;
import org.modeltracer.graph.SiteMap;
import org.modeltracer.graph.TensorData;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Op;
import org.modeltracer.llama.Tensor;
import org.modeltracer.llama.TensorObserver;
import org.modeltracer.model.Site;
import org.modeltracer.model.Subscription;
import org.modeltracer.session.RunningPass;
import org.modeltracer.session.TracedSession;
import org.modeltracer.sparse.PolicyReport.LayerPolicy;

/**
 * Runs a session under policies: the weights of keys that are not kept become 0, those of others
 * grow as if the softmax had never seen them, which is what a mask does.
 *
 * <p>The session must attend without flash attention, whose weights are never in memory, and run
 * one sequence.
 */
public final class PolicyRun implements AutoCloseable {
  private final Subscription subscription;
  private final Masking masking;

  private PolicyRun(TracedSession session, Map<Integer, LayerPolicy> policies) {
    if (session.usesFlashAttention()) {
      throw new IllegalArgumentException("policies are applied without flash attention only");
    }
    masking = new Masking(session, policies);
    subscription = session.follow(masking);
  }

  /** Applies what a report recommends to all that a session computes from now on. */
  public static PolicyRun under(TracedSession session, PolicyReport report) {
    var policies = new HashMap<Integer, LayerPolicy>();
    report.layers().forEach(layer -> policies.put(layer.layer(), layer));
    return new PolicyRun(session, policies);
  }

  /** Lets the session attend to all keys again. */
  @Override
  public void close() {
    subscription.close();
    masking.close();
  }

  /** Writes weights in the data phase of the softmax, before anything reads them. */
  private static final class Masking implements TensorObserver {
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
    private static final int SINKS = 2;

    private final RunningPass pass;
    private final Map<Integer, LayerPolicy> policies;
    private final NodeIdentity identity;
    private final NodeTable<Integer> layers = new NodeTable<>();
    private final TensorData data;
    private final Map<Long, HeavyHitters> hitters = new HashMap<>();
    private Arena arena = Arena.ofShared();
    private MemorySegment staging = MemorySegment.NULL;
    private long[] order = {};
    private int[] cells = {};
    private float[] weights = {};
    private boolean[] kept = {};
    private long graph = -1;
    private @Nullable Integer current;

    Masking(TracedSession session, Map<Integer, LayerPolicy> policies) {
      pass = session.running();
      this.policies = policies;
      LlamaRuntime runtime = session.context().model().runtime();
      identity = new NodeIdentity(runtime);
      data = new TensorData(runtime, false);
      for (SiteMap map : session.survey().maps()) {
        map.places()
            .forEach(
                (node, place) -> {
                  if (place.site() == Site.ATTENTION && node.is(Op.SOFT_MAX)) {
                    layers.put(node, place.layer());
                  }
                });
      }
    }

    @Override
    public boolean wants(Tensor node) {
      if (pass.graph() != graph) {
        graph = pass.graph();
        layers.restart();
      }
      current = layers.next(identity.of(node));
      return current != null && pass.computes(node);
    }

    @Override
    public void observe(Tensor node) {
      Integer layer = current;
      LayerPolicy policy = layer == null ? null : policies.get(layer);
      KeyPolicy keep = policy == null ? null : policy.policy();
      Integer budget = policy == null ? null : policy.budget();
      if (layer == null || keep == null || budget == null || node.ne(3) != 1) {
        return;
      }
      int count = (int) node.ne(0);
      reserve(count, node.spanBytes());
      MemorySegment.copy(data.open(node), 0, staging, 0, node.spanBytes());
      boolean learnedSink = node.source(SINKS) != 0;
      for (int h = 0; h < node.ne(2); h++) {
        HeavyHitters own =
            hitters.computeIfAbsent((long) layer << 32 | h, id -> new HeavyHitters());
        for (int q = 0; q < node.ne(1); q++) {
          long offset = h * node.nb(2) + q * node.nb(1);
          row(layer, keep, budget, own, q, offset, count, learnedSink);
        }
      }
      node.write(0, staging, node.spanBytes());
    }

    private void row(
        int layer,
        KeyPolicy keep,
        int budget,
        HeavyHitters own,
        int q,
        long offset,
        int count,
        boolean learnedSink) {
      int position = pass.position(q, false);
      int n = 0;
      for (int c = 0; c < count; c++) {
        RunningPass.Cell cell = pass.cell(layer, c);
        // Outside of a window the model's own mask leaves exactly nothing.
        if (cell != null
            && cell.position() <= position
            && staging.get(FLOAT, offset + 4L * c) != 0) {
          order[n++] = (long) cell.position() << 32 | c;
        }
      }
      Arrays.sort(order, 0, n);
      for (int i = 0; i < n; i++) {
        cells[i] = (int) order[i];
        weights[i] = staging.get(FLOAT, offset + 4L * cells[i]);
      }
      keep.keep(weights, n, budget, own, kept);
      double held = 0;
      double all = 0;
      int holds = 0;
      for (int i = 0; i < n; i++) {
        all += weights[i];
        held += kept[i] ? weights[i] : 0;
        holds += kept[i] ? 1 : 0;
      }
      // Added up, not what is left of 1: next to a key with nearly everything that would be noise.
      double whole = held + (learnedSink ? Math.max(0, 1 - all) : 0);
      for (int i = 0; i < n; i++) {
        // Where all that is kept is too little for float32, nothing tells its keys apart.
        double weight = !kept[i] ? 0 : whole > 0 ? weights[i] / whole : 1.0 / holds;
        staging.set(FLOAT, offset + 4L * cells[i], (float) weight);
      }
    }

    private void reserve(int count, long bytes) {
      if (cells.length < count) {
        order = new long[count];
        cells = new int[count];
        weights = new float[count];
        kept = new boolean[count];
      }
      if (staging.byteSize() < bytes) {
        arena.close();
        arena = Arena.ofShared();
        staging = arena.allocate(bytes, 64);
      }
    }

    void close() {
      data.close();
      arena.close();
    }
  }
}
