package org.modeltracer.cli;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.modeltracer.llama.Batch;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.LlamaContext;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.Sampler;
import org.modeltracer.llama.SamplerOptions;
import org.modeltracer.probe.ProbeCost;
import org.modeltracer.session.SessionOptions;
import org.modeltracer.session.TracedSession;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;

/**
 * One way of running a model, measured against others: bare, or under some tracer.
 *
 * <p>All do the same work in the same loop: a prompt, then one greedy token after the other, also
 * past the end of the text. Only what observes it differs.
 */
final class Contender implements AutoCloseable {
  /**
   * What one run took.
   *
   * @param promptSeconds the prompt, with the choice of the first token
   * @param generationSeconds all generated tokens
   * @param observedNodes nodes whose values were read while generating
   * @param observedBytes bytes reduced to statistics while generating
   * @param allocatedBytes bytes that Java allocated on the decoding thread while generating
   */
  record Measurement(
      double promptSeconds,
      double generationSeconds,
      long observedNodes,
      long observedBytes,
      long allocatedBytes) {}

  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();
  private static final ProbeCost NOTHING = new ProbeCost(0, 0, 0, 0, 0);

  private final String name;
  private final LlamaContext context;
  private final Sampler sampler;
  private final @Nullable ModelTracer tracer;
  private final @Nullable TracedSession session;
  private final Step step = new Step();

  /** One token, put into a batch. */
  private static final class Step implements Consumer<Batch> {
    private int token;
    private int position;

    @Override
    public void accept(Batch batch) {
      batch.add(token, position, 0, true);
    }
  }

  /** The model as it is, without a hook. */
  Contender(String name, LlamaModel model, ContextOptions options) {
    this.name = name;
    context = model.context(options.withHook(false));
    sampler = new Sampler(model, SamplerOptions.greedy());
    tracer = null;
    session = null;
  }

  /** The model with a hook, under a tracer. */
  Contender(String name, LlamaModel model, ContextOptions options, TracerConfig config) {
    this.name = name;
    // Findings are not what is measured.
    tracer = ModelTracer.quiet(config);
    session = TracedSession.open(model, SessionOptions.defaults().withContext(options), tracer);
    context = session.context();
    sampler = new Sampler(model, SamplerOptions.greedy());
  }

  String name() {
    return name;
  }

  /** Runs a prompt and generates {@code n} tokens, from an empty cache. */
  Measurement measure(int[] prompt, int n) {
    return context.model().runtime().call(() -> measured(prompt, n));
  }

  private Measurement measured(int[] prompt, int n) {
    clear();
    long begin = System.nanoTime();
    int next = prefill(prompt);
    long prompted = System.nanoTime();
    ProbeCost before = cost();
    long allocated = THREADS.getCurrentThreadAllocatedBytes();
    for (int i = 0; i < n; i++) {
      step.token = next;
      step.position = prompt.length + i;
      decode(step);
      next = sampler.sample(context, 0);
    }
    allocated = THREADS.getCurrentThreadAllocatedBytes() - allocated;
    long end = System.nanoTime();
    ProbeCost after = cost();
    return new Measurement(
        (prompted - begin) / 1e9,
        (end - prompted) / 1e9,
        after.nodesObserved() - before.nodesObserved(),
        after.bytesObserved() - before.bytesObserved(),
        allocated);
  }

  private int prefill(int[] prompt) {
    int most = context.batch().capacity();
    int n = 0;
    for (int done = 0; done < prompt.length; done += n) {
      n = Math.min(most, prompt.length - done);
      int from = done;
      int to = done + n;
      decode(
          batch -> {
            for (int i = from; i < to; i++) {
              batch.add(prompt[i], i, 0, i == prompt.length - 1);
            }
          });
    }
    return sampler.sample(context, n - 1);
  }

  private void decode(Consumer<Batch> fill) {
    if (session != null) {
      session.pass(fill);
    } else {
      fill.accept(context.batch().clear());
      context.decode(context.batch());
    }
  }

  private void clear() {
    if (session != null) {
      session.cache().clear();
    } else if (context.cache().exists()) {
      context.cache().clear();
    }
  }

  private ProbeCost cost() {
    return session == null ? NOTHING : session.cost();
  }

  @Override
  public void close() {
    sampler.close();
    if (session != null) {
      session.close();
    } else {
      context.close();
    }
    if (tracer != null) {
      tracer.close();
    }
  }
}
