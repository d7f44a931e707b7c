package org.modeltracer.session;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.anomaly.AnomalyKind;
import org.modeltracer.graph.ModelSurvey;
import org.modeltracer.llama.Batch;
import org.modeltracer.llama.LlamaContext;
import org.modeltracer.llama.LlamaException;
import org.modeltracer.llama.TensorObserver;
import org.modeltracer.model.Place;
import org.modeltracer.model.Subscription;
import org.modeltracer.probe.ForwardProbe;
import org.modeltracer.probe.NodeTap;
import org.modeltracer.trace.ModelTracer;

/** Runs one forward pass after the other under a tracer, and hands on what comes of each. */
final class PassRunner {
  private final LlamaContext context;
  private final ModelTracer tracer;
  private final Listeners listeners;
  private final ForwardProbe probe;
  private final TracedCache cache;
  private final Choice choice;
  private final List<TensorObserver> followers = new CopyOnWriteArrayList<>();
  private @Nullable NodeTap tap;
  private final boolean hasLogits;
  private final boolean whole;

  PassRunner(
      LlamaContext context,
      ModelSurvey survey,
      ModelTracer tracer,
      Listeners listeners,
      ForwardProbe probe,
      TracedCache cache,
      Choice choice) {
    this.context = context;
    this.tracer = tracer;
    this.listeners = listeners;
    this.probe = probe;
    this.cache = cache;
    this.choice = choice;
    hasLogits = survey.node(Place.LOGITS).isPresent();
    whole = survey.seesAhead() || !cache.exists();
  }

  /** Sets what observes beside the probe. */
  void tap(NodeTap observer) {
    tap = observer;
  }

  /** What is known of the pass at hand. */
  RunningPass running() {
    return new PassReplay(context, probe, cache, 0);
  }

  /** Has an observer see every node from the next pass on, beside the probe. */
  Subscription follow(TensorObserver follower) {
    followers.add(follower);
    return () -> followers.remove(follower);
  }

  private @Nullable TensorObserver observer() {
    boolean watches = tracer.isEnabled() || !listeners.sites().isEmpty() || !followers.isEmpty();
    TensorObserver all = tap != null ? tap : watches ? probe : null;
    for (TensorObserver follower : followers) {
      all = all == null ? follower : new Beside(all, follower);
    }
    return all;
  }

  /** Refuses a text that is read in both directions, but not in one graph. */
  void check(int tokens) {
    if (whole) {
      context.requireOneGraph(tokens);
    }
  }

  /** One traced pass; returns the token chosen after the batch's last, or -1. */
  int run(Batch batch, boolean choose) {
    if (context.cancelRequested()) {
      context.resume();
      throw new LlamaException(LlamaException.Kind.CANCELLED, "the forward pass was cancelled");
    }
    check(batch.size());
    int forward = tracer.beginForward(batch.position(0), batch.size());
    probe.begin(batch, forward);
    context.observe(observer());
    int chosen;
    Optional<Anomaly> worst = Optional.empty();
    try {
      PassReplay.compute(context, batch);
      for (int i = 0; i < batch.size(); i++) {
        cache.wrote(batch.sequence(i), batch.position(i), batch.token(i));
      }
      chosen = outputs(batch, choose);
      cache.record(tracer, probe.accessedPositions());
    } catch (LlamaException e) {
      if (e.kind() == LlamaException.Kind.DECODE && !cache.hasRoom(batch)) {
        exhausted(batch);
      }
      cache.afterFailure();
      if (e.kind() == LlamaException.Kind.CANCELLED) {
        context.resume();
      }
      throw e;
    } finally {
      worst = tracer.endForward();
    }
    if (worst.isPresent()) {
      examine(worst.get(), new PassReplay(context, probe, cache, forward));
    }
    return chosen;
  }

  private void exhausted(Batch batch) {
    if (tracer.config().kvCache()) {
      String message = "no room in the KV cache for %d more tokens".formatted(batch.size());
      tracer.report(
          Anomaly.of(AnomalyKind.KV_EXHAUSTED, message).position(batch.position(0)).build());
    }
  }

  /** Tells of a pass in which something was wrong. */
  void examine(Anomaly worst, Replay replay) {
    try {
      listeners.anomalousPass(worst, replay);
    } catch (LlamaException e) {
      cache.afterFailure();
      throw e;
    }
  }

  private int outputs(Batch batch, boolean choose) {
    int chosen = -1;
    for (int i = 0; i < batch.size(); i++) {
      if (!batch.output(i) || !hasLogits) {
        continue;
      }
      boolean last = choose && i == batch.size() - 1;
      chosen = last ? choice.choose(context, i) : -1;
      MemorySegment logits = context.logits(i);
      int vocabulary = context.model().vocabulary().size();
      tracer.recordLogits(batch.position(i), logits, 0, vocabulary, chosen);
      listeners.logits(batch.sequence(i), batch.position(i), logits, chosen);
    }
    return chosen;
  }
}
