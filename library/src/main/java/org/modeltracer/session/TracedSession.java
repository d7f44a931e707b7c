package org.modeltracer.session;

import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.modeltracer.cache.CacheLayout;
import org.modeltracer.cache.CacheStatistics;
import org.modeltracer.graph.FoundSite;
import org.modeltracer.graph.ModelSurvey;
import org.modeltracer.graph.NodeInfo;
import org.modeltracer.graph.Unembedding;
import org.modeltracer.llama.Batch;
import org.modeltracer.llama.LlamaContext;
import org.modeltracer.llama.LlamaException;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.Setting;
import org.modeltracer.llama.TensorObserver;
import org.modeltracer.model.Place;
import org.modeltracer.model.Subscription;
import org.modeltracer.probe.ForwardProbe;
import org.modeltracer.probe.NodeTap;
import org.modeltracer.probe.ProbeCost;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.SummarySection;

/**
 * A model at work under a tracer.
 *
 * <p>Everything runs on the runtime's native thread; listeners are called there. Calls from several
 * threads take turns. A call that comes from a callback of this session, and would run the model or
 * close it, throws an {@link IllegalStateException} that says busy; {@link #cancel} may come from
 * anywhere.
 */
public final class TracedSession implements AutoCloseable {
  private static final AtomicLong NEXT = new AtomicLong();
  private static final CachePolicy NO_REUSE = CachePolicy.defaults().withReusePrefix(false);

  private final long id = NEXT.incrementAndGet();
  private final LlamaModel model;
  private final SessionOptions options;
  private final ModelTracer tracer;
  private final LlamaContext context;
  private final ModelSurvey survey;
  private final ForwardProbe probe;
  private final TracedCache cache;
  private final Listeners listeners;
  private final Choice choice;
  private final PassRunner passes;
  private final @Nullable EncoderPass encoder;
  private final SessionEvents events;
  private @Nullable NodeTap tap;
  private boolean closed;
  private volatile @Nullable CacheStatistics cacheRead;

  private TracedSession(LlamaModel model, SessionOptions options, ModelTracer tracer) {
    this.model = model;
    this.options = options;
    this.tracer = tracer;
    var opening = new SessionEvents.Opening();
    opening.begin();
    events = new SessionEvents(id, model.id());
    context = model.context(options.context());
    choice = choice(context, options);
    survey = ModelSurvey.of(context);
    listeners = new Listeners(options.sites(tracer.config()));
    int sequences = options.context().sequences().count();
    var layout = new CacheLayout(survey, context.contextTokens(), sequences);
    probe =
        new ForwardProbe(
            model.runtime(),
            survey,
            layout,
            tracer,
            listeners,
            listeners::sites,
            options.copyBuffers());
    if (options.context().threads() > 1) {
      probe.readBeside(context::restThreads);
    }
    cache = new TracedCache(context, layout, listeners);
    if (tracer.config().kvCache() && !layout.all().isEmpty()) {
      tracer.addAnalysis(
          SummarySection.KV_CACHE, () -> new CacheSection(cache.caches(), cacheRead));
    }
    passes = new PassRunner(context, survey, tracer, listeners, probe, cache, choice);
    encoder = EncoderPass.of(context, survey, tracer, listeners, options, cache, passes);
    events.opened(opening, context.contextTokens(), survey.fuses());
  }

  /** What chooses tokens; a context whose grammar is refused is nobody's. */
  private static Choice choice(LlamaContext context, SessionOptions options) {
    try {
      return new Choice(context, options.sampler());
    } catch (RuntimeException e) {
      context.close();
      throw e;
    }
  }

  /**
   * Opens a session: makes a context and learns its graph by running two tokens through it.
   *
   * @throws LlamaException when llama.cpp cannot set the context up
   */
  public static TracedSession open(LlamaModel model, SessionOptions options, ModelTracer tracer) {
    return model.runtime().call(() -> new TracedSession(model, options, tracer));
  }

  /**
   * Has a listener follow everything from now on; closing what is returned takes it off.
   *
   * @throws IllegalArgumentException when it wants rows of a kind of place that has none
   */
  public Subscription listen(SessionListener listener) {
    if (!listener.nodes().isEmpty()) {
      tap();
    }
    return listeners.add(listener);
  }

  /**
   * Has an observer see every node of the passes from the next one on, after the session's own
   * probe: for what no listener gets, such as what a node takes. The encoder's before a decoder are
   * left out. Closing what is returned takes it off.
   */
  public Subscription follow(TensorObserver observer) {
    return passes.follow(observer);
  }

  /** What is known of the pass at hand, to be asked by an observer. */
  public RunningPass running() {
    return passes.running();
  }

  /** The graphs that were learnt when the session was opened. */
  public ModelSurvey survey() {
    return survey;
  }

  /** Number of this session among all that this process has opened, from 1. */
  public long id() {
    return id;
  }

  /** Does work on the model's thread, unless a callback of other work asks for it. */
  private <T> T working(Callable<T> work) {
    return context.hold(
        () -> {
          if (closed) {
            throw new IllegalStateException("this session is closed");
          }
          tracer.fedBy(id, model.id());
          return work.call();
        });
  }

  /** Tokens of a text as the model wants them, BOS included where it is. */
  public int[] tokenize(String text) {
    return model.vocabulary().tokenize(text, true, true);
  }

  /**
   * Continues a text.
   *
   * @param most tokens generated at most
   * @param onToken called with each token; false stops
   * @throws LlamaException when llama.cpp fails; what was traced stays in the tracer
   */
  public Generation generate(String prompt, int most, Predicate<Generation.Token> onToken) {
    return generate(tokenize(prompt), most, onToken);
  }

  /** Whether the model predicts tokens; one that embeds texts does not. */
  public boolean generates() {
    return survey.node(Place.LOGITS).isPresent();
  }

  /** Continues a run of tokens, as {@link #generate(String, int, Predicate)} does a text. */
  public Generation generate(int[] prompt, int most, Predicate<Generation.Token> onToken) {
    return generate(prompt, false, most, onToken);
  }

  /**
   * Continues a run of tokens, as {@link #generate(String, int, Predicate)} does a text.
   *
   * @param allLogits whether the logits of every position of the prompt are computed
   */
  public Generation generate(
      int[] prompt, boolean allLogits, int most, Predicate<Generation.Token> onToken) {
    if (!generates()) {
      throw refused("this model has no output matrix: it cannot generate text");
    }
    return working(() -> follow(prompt, () -> continued(prompt, allLogits, most, onToken)));
  }

  /**
   * Runs a prompt without generating.
   *
   * @param allLogits whether the logits of every position are computed, not only the last's
   */
  public void evaluate(int[] prompt, boolean allLogits) {
    working(() -> follow(prompt, () -> evaluated(prompt, allLogits)));
  }

  private Generation evaluated(int[] prompt, boolean allLogits) {
    long begin = System.nanoTime();
    encode(prompt);
    int[] tokens = decoded(prompt);
    int reused = start(tokens, allLogits);
    prefill(tokens, reused, allLogits, false);
    double seconds = (System.nanoTime() - begin) / 1e9;
    return new Generation(
        prompt.length, reused, List.of(), "", Generation.Finish.LENGTH, 0, seconds, 0);
  }

  /** Tells listeners and the flight recorder of a text from its beginning to its end. */
  private Generation follow(int[] prompt, Supplier<Generation> text) {
    check(prompt);
    var event = new SessionEvents.Text();
    event.begin();
    try {
      if (!listeners.isEmpty()) {
        listeners.begin(texts(prompt));
      }
      Generation result = text.get();
      listeners.end(result);
      events.ended(event, result);
      return result;
    } catch (Throwable failure) {
      events.failed(event, prompt.length, failure);
      listeners.failure(failure);
      throw failure;
    }
  }

  private List<Generation.Token> texts(int[] prompt) {
    return IntStream.range(0, prompt.length)
        .mapToObj(
            i -> new Generation.Token(prompt[i], i, model.vocabulary().piece(prompt[i], true)))
        .toList();
  }

  /** One traced pass over tokens of any sequences, which {@code fill} puts into the batch. */
  public void pass(Consumer<Batch> fill) {
    working(
        () -> {
          fill.accept(context.batch().clear());
          return passes.run(context.batch(), false);
        });
  }

  private Generation continued(
      int[] prompt, boolean allLogits, int most, Predicate<Generation.Token> onToken) {
    int[] own = decoded(prompt);
    var generator =
        new Generator(context, tracer, cache, passes, listeners, options.cache(), own, onToken);
    long begin = System.nanoTime();
    int reused = 0;
    long prompted = begin;
    Generation.Finish finish;
    try {
      encode(prompt);
      choice.begin(own);
      reused = start(own, allLogits);
      int next = prefill(own, reused, allLogits, most > 0);
      prompted = System.nanoTime();
      finish = generator.run(next, most);
    } catch (LlamaException e) {
      if (e.kind() != LlamaException.Kind.CANCELLED) {
        throw e;
      }
      finish = Generation.Finish.CANCELLED;
    }
    return generator.result(
        prompt.length,
        reused,
        finish,
        (prompted - begin) / 1e9,
        (System.nanoTime() - prompted) / 1e9);
  }

  private void encode(int[] prompt) {
    if (encoder != null) {
      encoder.run(prompt);
    }
  }

  /** Tokens that the decoder reads: the prompt, or one to start with where an encoder reads it. */
  public int[] decoded(int[] prompt) {
    if (encoder == null) {
      return prompt.clone();
    }
    int start = model.decoderStart();
    return new int[] {start >= 0 ? start : Math.max(0, model.vocabulary().bos())};
  }

  /**
   * Refuses what cannot be run.
   *
   * @throws LlamaException when the prompt is empty, longer than the context, or has a token that
   *     is not in the vocabulary
   */
  public void check(int[] prompt) {
    int size = model.vocabulary().size();
    if (prompt.length == 0) {
      throw refused("the prompt has no tokens");
    }
    for (int token : prompt) {
      if (token < 0 || token >= size) {
        throw refused("token " + token + " is outside the vocabulary of " + size + " tokens");
      }
    }
    if (prompt.length > context.sequenceTokens()) {
      boolean fixed = survey.seesAhead() && context.sequenceTokens() >= model.trainedContext();
      String message =
          "the prompt has %d tokens, the context holds %d; "
              .formatted(prompt.length, context.sequenceTokens());
      throw fixed
          ? refused(message + "the model knows no more positions")
          : LlamaException.naming(
              LlamaException.Kind.ARGUMENT, message + "a larger {} makes room", Setting.CONTEXT);
    }
    passes.check(prompt.length);
  }

  private static LlamaException refused(String reason) {
    return new LlamaException(LlamaException.Kind.ARGUMENT, reason);
  }

  /** How much of the prompt the cache holds and need not be computed again. */
  private int start(int[] prompt, boolean allLogits) {
    return cache.start(prompt, allLogits ? NO_REUSE : options.cache());
  }

  private int prefill(int[] prompt, int from, boolean allLogits, boolean choose) {
    Batch batch = context.batch();
    int chosen = -1;
    int n;
    for (int done = from; done < prompt.length; done += n) {
      n = Math.min(batch.capacity(), prompt.length - done);
      batch.clear();
      for (int i = done; i < done + n; i++) {
        batch.add(prompt[i], i, 0, allLogits || i == prompt.length - 1);
      }
      chosen = passes.run(batch, choose && done + n == prompt.length);
      listeners.prompt(done + n, prompt.length);
    }
    return chosen;
  }

  /**
   * Ends the pass in progress as soon as possible, else the next one; may be called from any
   * thread.
   *
   * <p>A generation ends as {@link Generation.Finish#CANCELLED}, anything else with an exception.
   * The session can be used again afterwards.
   */
  public void cancel() {
    context.cancel();
  }

  /**
   * Reads what the KV cache holds, for the summary too; poisoned cells become anomalies.
   *
   * @see TracedCache#statistics
   */
  public CacheStatistics readCache() {
    return working(
        () -> {
          CacheStatistics read = cache.statistics();
          cacheRead = read;
          PoisonedCells.report(read, tracer);
          return read;
        });
  }

  /** The context's KV cache. */
  public TracedCache cache() {
    return cache;
  }

  /** How the session was opened. */
  public SessionOptions options() {
    return options;
  }

  /** The context at work. */
  public LlamaContext context() {
    return context;
  }

  /**
   * Every place of the transformer that the graph has, in execution order; the places of an encoder
   * before the decoder come last.
   */
  public List<FoundSite> sites() {
    return survey.sites();
  }

  /** Where the states are that logits, or the embedding of a text, are made of. */
  public Optional<Place> lastState() {
    // Of an encoder before the decoder nothing is the model's last.
    return Place.lastState(
        sites().stream()
            .map(FoundSite::place)
            .filter(place -> !place.inLayer() || survey.layers().contains(place.layer()))
            .toList());
  }

  /**
   * How the model makes scores of the last layer's state.
   *
   * @throws LlamaException when it makes none, or not of that state alone
   */
  public Unembedding unembedding() {
    return Unembedding.of(survey.prompt());
  }

  /** Nodes of a prompt's graph that have a row for each token, in execution order. */
  public List<NodeInfo> nodes() {
    return tap().nodes();
  }

  private NodeTap tap() {
    NodeTap known = tap;
    if (known == null) {
      known = new NodeTap(model.runtime(), survey, probe, listeners::nodes, listeners);
      passes.tap(known);
      tap = known;
    }
    return known;
  }

  /** Layers of the graph, ascending; not those of an encoder before the decoder. */
  public Set<Integer> layers() {
    return survey.layers();
  }

  /** Layers of the encoder before the decoder, ascending: they follow the decoder's. */
  public Set<Integer> encoderLayers() {
    ModelSurvey before = survey.encoder();
    return before == null ? Set.of() : before.layers();
  }

  /** Whether attention runs as one fused operation, whose rows are computed again. */
  public boolean usesFlashAttention() {
    return survey.fuses();
  }

  /** What observing has cost so far. */
  public ProbeCost cost() {
    var cost =
        new ProbeCost(
            survey.prompt().graph().nodes().size(),
            probe.nodesAsked(),
            probe.nodesObserved(),
            probe.bytesObserved(),
            probe.bytesCopied(),
            probe.droppedKeys());
    return encoder == null ? cost : encoder.cost(cost);
  }

  /**
   * Frees the context; the model stays open. Does nothing the second time.
   *
   * @throws IllegalStateException when called from a callback of this session at work
   */
  @Override
  public void close() {
    model
        .runtime()
        .call(
            () -> {
              if (closed) {
                return null;
              }
              context.close();
              closed = true;
              choice.close();
              probe.close();
              if (encoder != null) {
                encoder.close();
              }
              if (tap != null) {
                tap.close();
              }
              return null;
            });
  }
}
