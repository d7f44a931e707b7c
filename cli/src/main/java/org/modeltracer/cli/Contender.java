package org.modeltracer.cli;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.modeltracer.llama.Batch;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.LlamaContext;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.SilentCallback;
import org.modeltracer.probe.ProbeCost;
import org.modeltracer.session.SessionOptions;
import org.modeltracer.session.TracedSession;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;

/**
 * One way of running a model, measured against others: bare, or under some tracer.
 *
 * <p>All read the same tokens in the same pieces. Only what observes it differs.
 */
final class Contender implements AutoCloseable {
  /**
   * What one piece took.
   *
   * @param seconds time of its passes
   * @param observedNodes nodes whose values were read
   * @param observedBytes bytes reduced to statistics
   * @param allocatedBytes bytes that Java allocated on the decoding thread
   */
  record Measurement(double seconds, long observedNodes, long observedBytes, long allocatedBytes) {}

  /** What looks at a session beside its tracer. */
  interface Watcher extends AutoCloseable {
    /** A text begins. */
    void begin(int[] tokens);

    @Override
    void close();
  }

  /** Attaches a watcher. */
  interface Attachment {
    Watcher to(TracedSession session, ModelTracer tracer);
  }

  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();
  private static final ProbeCost NOTHING = new ProbeCost(0, 0, 0, 0, 0, 0);

  private final String name;
  private final LlamaContext context;
  private final @Nullable SilentCallback silent;
  private final @Nullable ModelTracer tracer;
  private final @Nullable TracedSession session;
  private final @Nullable Watcher watcher;
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
    silent = null;
    context = model.context(options.withHook(false));
    tracer = null;
    session = null;
    watcher = null;
  }

  /** The model with a callback in C that has the same nodes shown as a tracer, and looks away. */
  Contender(String name, LlamaModel model, ContextOptions options, SilentCallback callback) {
    this.name = name;
    silent = callback;
    context = model.context(options, callback);
    tracer = null;
    session = null;
    watcher = null;
  }

  /** The model with a hook, under a tracer and what else watches. */
  Contender(
      String name,
      LlamaModel model,
      ContextOptions options,
      TracerConfig config,
      @Nullable Attachment attachment) {
    this.name = name;
    silent = null;
    // Findings are not what is measured.
    tracer = ModelTracer.quiet(config);
    session = TracedSession.open(model, SessionOptions.defaults().withContext(options), tracer);
    context = session.context();
    watcher = attachment == null ? null : attachment.to(session, tracer);
  }

  String name() {
    return name;
  }

  /** Begins a text, with an empty cache. */
  void begin(int[] tokens) {
    context.model().runtime().run(this::clear);
    if (watcher != null) {
      watcher.begin(tokens);
    }
  }

  /** Reads the tokens of a text from one position to before another, in one batch. */
  Measurement prompt(int[] tokens, int from, int to) {
    return measured(
        () ->
            decode(
                batch -> {
                  for (int i = from; i < to; i++) {
                    batch.add(tokens[i], i, 0, i == to - 1);
                  }
                }));
  }

  /** Reads tokens of a text one by one, as if they were generated. */
  Measurement generation(int[] tokens, int from, int to) {
    return measured(
        () -> {
          for (int i = from; i < to; i++) {
            step.token = tokens[i];
            step.position = i;
            decode(step);
          }
        });
  }

  private Measurement measured(Runnable work) {
    return context
        .model()
        .runtime()
        .call(
            () -> {
              ProbeCost before = cost();
              long allocated = THREADS.getCurrentThreadAllocatedBytes();
              long begin = System.nanoTime();
              work.run();
              long end = System.nanoTime();
              allocated = THREADS.getCurrentThreadAllocatedBytes() - allocated;
              ProbeCost after = cost();
              return new Measurement(
                  (end - begin) / 1e9,
                  after.nodesObserved() - before.nodesObserved(),
                  after.bytesObserved() - before.bytesObserved(),
                  allocated);
            });
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
    if (silent != null) {
      return new ProbeCost(0, 0, silent.delivered(), 0, 0, 0);
    }
    return session == null ? NOTHING : session.cost();
  }

  @Override
  public void close() {
    if (watcher != null) {
      watcher.close();
    }
    if (session != null) {
      session.close();
    } else {
      context.close();
    }
    if (tracer != null) {
      tracer.close();
    }
    if (silent != null) {
      silent.close();
    }
  }
}
