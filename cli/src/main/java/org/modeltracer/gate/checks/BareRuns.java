package org.modeltracer.gate.checks;

import java.util.Arrays;
import java.util.List;
import org.modeltracer.llama.Batch;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.KvCache;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.ModelOptions.Placement;
import org.modeltracer.session.SessionOptions;
import org.modeltracer.session.TracedSession;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;

/**
 * The prompts run without a tracer, in several ways that must give the same.
 *
 * <p>Only the beginning of each prompt is run, as what comes of every position is kept.
 */
final class BareRuns implements AutoCloseable {
  private static final int LONGEST = 64;

  private final LlamaModel model;
  private final TracedSession session;
  private final List<int[]> prompts;
  private final boolean readsAtOnce;

  private BareRuns(
      LlamaModel model, TracedSession session, List<int[]> prompts, boolean readsAtOnce) {
    this.model = model;
    this.session = session;
    this.prompts = prompts;
    this.readsAtOnce = readsAtOnce;
  }

  /** Sets a context up for a subject's model. */
  static BareRuns open(Subject subject) {
    LlamaModel model = subject.model();
    boolean atOnce = !subject.file().causal();
    ContextOptions context = Prompts.context(subject);
    var options =
        SessionOptions.defaults()
            // A text that is read at once may be read beside another.
            .withContext(atOnce ? context.withSequences(2, true) : context);
    List<int[]> prompts =
        subject.prompts().tokens().stream()
            .map(ids -> Arrays.copyOf(ids, Math.min(LONGEST, ids.length)))
            .toList();
    var session = TracedSession.open(model, options, new ModelTracer(TracerConfig.disabled()));
    return new BareRuns(model, session, prompts, atOnce);
  }

  /** The prompts, each cut to what is run of it. */
  List<int[]> prompts() {
    return prompts;
  }

  /** Whether the model computes on the CPU alone. */
  boolean onCpu() {
    Placement placement = model.options().placement();
    return placement.rpcServers().isEmpty()
        && model.runtime().devices(placement).stream()
            .allMatch(device -> device.backend().equals("CPU"));
  }

  /** Whether the model makes logits; of one that does not, the last states are compared. */
  boolean generates() {
    return session.generates();
  }

  /**
   * Refuses models that show neither logits nor the states that they, or embeddings, are made of.
   */
  void requireOutputs() {
    if (!generates() && session.lastState().isEmpty()) {
      throw new NotApplicable("this model has neither logits nor last states to compare");
    }
  }

  /** Whether each token sees all of a text, so that a text is always read at once. */
  boolean readsAtOnce() {
    return readsAtOnce;
  }

  /** Refuses models that do not read token by token with a memory of what they have read. */
  void requireMemory() {
    if (model.hasEncoder()) {
      throw new NotApplicable("this model's encoder reads all of a text at once");
    }
    if (!session.context().cache().exists()) {
      throw new NotApplicable("this model has no memory: it reads all of a text at once");
    }
  }

  /** What comes of a prompt computed at once, with nothing remembered. */
  Outputs whole(int[] prompt) {
    return collect(() -> session.evaluate(prompt, true));
  }

  /** What comes of a prompt computed token by token, with nothing remembered of other prompts. */
  Outputs steps(int[] prompt) {
    return collect(
        () -> {
          session.cache().clear();
          for (int i = 0; i < prompt.length; i++) {
            int position = i;
            session.pass(batch -> batch.add(prompt[position], position, 0, true));
          }
        });
  }

  /** What comes of a prompt read beside another text, in one batch. */
  Outputs beside(int[] prompt, int[] other) {
    return collect(
        () ->
            session.pass(
                batch -> {
                  add(batch, prompt, 0);
                  add(batch, other, 1);
                }));
  }

  private static void add(Batch batch, int[] text, int sequence) {
    for (int i = 0; i < text.length; i++) {
      batch.add(text[i], i, sequence, true);
    }
  }

  /** What comes of a prompt's end, computed on top of its beginning, which is still remembered. */
  Outputs rest(int[] prompt, int from) {
    if (!session.cache().remove(0, from, KvCache.END)) {
      throw new NotApplicable("this model's memory cannot be taken back to an earlier token");
    }
    return collect(
        () ->
            session.pass(
                batch -> {
                  for (int i = from; i < prompt.length; i++) {
                    batch.add(prompt[i], i, 0, true);
                  }
                }));
  }

  private Outputs collect(Runnable run) {
    var outputs = new Outputs(generates() ? null : session.lastState().orElseThrow());
    try (var _ = session.listen(outputs)) {
      run.run();
    }
    return outputs;
  }

  @Override
  public void close() {
    session.close();
  }
}
