package org.modeltracer.gate.checks;

import java.util.Arrays;
import java.util.List;
import org.modeltracer.llama.KvCache;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.model.Site;
import org.modeltracer.session.SessionOptions;
import org.modeltracer.session.TracedSession;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;

/**
 * The prompts run without a tracer, in several ways that must give the same logits.
 *
 * <p>Only the beginning of each prompt is run, as the logits of every position are kept.
 */
final class BareRuns implements AutoCloseable {
  private static final int LONGEST = 64;

  private final LlamaModel model;
  private final TracedSession session;
  private final List<int[]> prompts;

  private BareRuns(LlamaModel model, TracedSession session, List<int[]> prompts) {
    this.model = model;
    this.session = session;
    this.prompts = prompts;
  }

  /** Sets a context up for a subject's model. */
  static BareRuns open(Subject subject) {
    LlamaModel model = subject.model();
    var options = SessionOptions.defaults().withContext(Prompts.context(subject));
    List<int[]> prompts =
        subject.prompts().tokens().stream()
            .map(ids -> Arrays.copyOf(ids, Math.min(LONGEST, ids.length)))
            .toList();
    var session = TracedSession.open(model, options, new ModelTracer(TracerConfig.disabled()));
    return new BareRuns(model, session, prompts);
  }

  /** The prompts, each cut to what is run of it. */
  List<int[]> prompts() {
    return prompts;
  }

  /** Whether the model computes on the CPU alone. */
  boolean onCpu() {
    return model.options().placement().rpcServers().isEmpty()
        && model.runtime().devices().stream().allMatch(device -> device.startsWith("CPU"));
  }

  /** Refuses models without logits. */
  void requireLogits() {
    if (session.sites().stream().noneMatch(s -> s.place().site() == Site.LOGITS)) {
      throw new NotApplicable("this model has no logits to compare");
    }
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

  /** Logits of a prompt computed at once, with nothing remembered. */
  Logits whole(int[] prompt) {
    return collect(() -> session.evaluate(prompt, true));
  }

  /** Logits of a prompt computed token by token, with nothing remembered of other prompts. */
  Logits steps(int[] prompt) {
    return collect(
        () -> {
          session.cache().clear();
          for (int i = 0; i < prompt.length; i++) {
            int position = i;
            session.pass(batch -> batch.add(prompt[position], position, 0, true));
          }
        });
  }

  /** Logits of a prompt's end, computed on top of its beginning, which is still remembered. */
  Logits rest(int[] prompt, int from) {
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

  private Logits collect(Runnable run) {
    var logits = new Logits();
    try (var _ = session.listen(logits)) {
      run.run();
    }
    return logits;
  }

  @Override
  public void close() {
    session.close();
  }
}
