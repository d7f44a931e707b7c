package org.modeltracer.diagnose;

import java.util.BitSet;
import java.util.EnumSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.anomaly.AnomalyKind;
import org.modeltracer.anomaly.Cause;
import org.modeltracer.anomaly.RootCause;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.anomaly.Thresholds;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.TensorInfo;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.model.Subscription;
import org.modeltracer.session.Replay;
import org.modeltracer.session.SessionListener;
import org.modeltracer.session.TracedSession;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.weights.WeightPeers;
import org.modeltracer.weights.Weights;

/**
 * Finds the root cause of a session's anomalies while it runs.
 *
 * <p>When a pass shows a critical anomaly that no pass showed before, its batch is taken out of the
 * KV cache and decoded again with every node observed. The first node whose output is bad while its
 * inputs are finite is the root, and the anomalies of the pass get the cause that explains it. That
 * happens at most {@link Thresholds#replays()} times in a run; a healthy run costs nothing.
 */
public final class Diagnosis implements SessionListener, AutoCloseable {
  private static final Set<AnomalyKind> NUMERIC =
      EnumSet.of(
          AnomalyKind.NAN,
          AnomalyKind.INF,
          AnomalyKind.EXPLOSION,
          AnomalyKind.MASKED_ROW,
          AnomalyKind.ROW_SUM,
          AnomalyKind.LOGITS);
  private static final Set<AnomalyKind> NOT_FINITE =
      EnumSet.of(AnomalyKind.NAN, AnomalyKind.INF, AnomalyKind.MASKED_ROW);

  private final TracedSession session;
  private final ModelTracer tracer;
  private final Thresholds limits;
  private final LlamaRuntime runtime;
  private final Weights weights;
  private final WeightPeers peers;
  private final ZeroWeights zeros;
  private final Subscription subscription;
  private final BitSet badPasses = new BitSet();
  private int replays;

  private Diagnosis(TracedSession session, ModelTracer tracer, GgufFile gguf) {
    this.session = session;
    this.tracer = tracer;
    limits = tracer.config().thresholds();
    runtime = session.context().model().runtime();
    weights = new Weights(gguf, runtime);
    peers = new WeightPeers(weights, limits);
    zeros = new ZeroWeights(weights);
    subscription = session.listen(this);
  }

  /**
   * Has a session's anomalies explained from now on; close it before the session.
   *
   * @param tracer the session's
   * @param gguf the file the session's model was loaded from
   */
  public static Diagnosis attach(TracedSession session, ModelTracer tracer, GgufFile gguf) {
    return new Diagnosis(session, tracer, gguf);
  }

  @Override
  public void onAnomalousPass(Anomaly worst, Replay replay) {
    List<Anomaly> fresh =
        tracer.anomalies().stream()
            .filter(a -> Objects.equals(a.forward(), replay.forward()))
            .toList();
    List<Anomaly> critical = fresh.stream().filter(Diagnosis::numeric).toList();
    if (!critical.isEmpty() && replays < limits.replays()) {
      replays++;
      attach(critical, explain(critical.getFirst(), replay));
    }
    fresh.forEach(this::explainSilence);
    if (numeric(worst)) {
      badPasses.set(replay.forward());
    }
  }

  private static boolean numeric(Anomaly anomaly) {
    return anomaly.severity() == Severity.CRITICAL && NUMERIC.contains(anomaly.kind());
  }

  private void attach(List<Anomaly> anomalies, @Nullable RootCause cause) {
    if (cause != null) {
      anomalies.forEach(a -> tracer.attachRootCause(a.id(), cause));
    }
  }

  private @Nullable RootCause explain(Anomaly first, Replay replay) {
    try (var watch = new NodeWatch(runtime, replay, limits.explosionAbs())) {
      if (!replay.run(watch)) {
        return cause(
            first, Cause.UNKNOWN, null, "the model's memory cannot be taken back before the pass");
      }
      var explanation = new Explanation(weights, peers, watch.graph(), new CpuOpinion(replay));
      BadNode bad = watch.bad();
      BadNode large = watch.large();
      List<String> notes = notes(watch);
      if (bad != null) {
        return explanation.of(bad, badPasses::get, notes);
      }
      if (large != null) {
        return explanation.ofLarge(large, notes);
      }
      // What zero weights do to the logits is explained without a replay.
      return NOT_FINITE.contains(first.kind())
          ? cause(
              first,
              Cause.BACKEND_KERNEL,
              null,
              "decoded again with every node observed, which keeps kernels from fusing nodes, the"
                  + " same batch is finite")
          : null;
    }
  }

  private List<String> notes(NodeWatch watch) {
    return List.of(
        "decoded again with every node up to the first bad one observed (%d): each is a split of"
                .formatted(watch.observed())
            + " the graph, and kernels that fuse nodes did not run",
        "flash attention %s, as in the run".formatted(session.usesFlashAttention() ? "on" : "off"));
  }

  private void explainSilence(Anomaly anomaly) {
    TensorInfo zero = anomaly.rootCause() == null ? zeros.behind(anomaly).orElse(null) : null;
    if (zero != null) {
      String why = "all %d values of %s are 0".formatted(zero.elements(), zero.name());
      attach(List.of(anomaly), cause(anomaly, Cause.BAD_WEIGHT, zero.name(), why));
    }
  }

  /** A cause for an anomaly whose own node is the best that can be named. */
  private RootCause cause(Anomaly anomaly, Cause cause, @Nullable String weight, String why) {
    var site =
        session.sites().stream()
            .filter(s -> s.place().site() == anomaly.site())
            .filter(s -> Objects.equals(s.place().layer(), anomaly.layer()))
            .findFirst();
    String node =
        anomaly.tensor() != null
            ? anomaly.tensor()
            : site.map(s -> s.tensor()).orElse(String.valueOf(anomaly.site()));
    String op = anomaly.op() != null ? anomaly.op() : site.map(s -> s.op()).orElse("");
    return new RootCause(
        node,
        op,
        anomaly.layer(),
        anomaly.position(),
        cause,
        weight,
        null,
        null,
        null,
        null,
        List.of(),
        node + ": " + why,
        List.of());
  }

  /** Passes that were run again so far. */
  public int replays() {
    return replays;
  }

  /** Stops explaining. */
  @Override
  public void close() {
    subscription.close();
    weights.close();
  }
}
