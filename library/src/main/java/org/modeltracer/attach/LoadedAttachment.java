package org.modeltracer.attach;

import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BiFunction;
import org.jspecify.annotations.Nullable;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.llama.CacheCall;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.LoadedLlama;
import org.modeltracer.model.Site;
import org.modeltracer.session.SessionOptions;
import org.modeltracer.trace.ModelTracer;

/**
 * Traces the contexts of a llama.cpp that other code of this process works with, such as another
 * binding's, without native code of our own.
 *
 * <p>Tracers and listeners are called on the thread that decodes, inside the decode. Closing undoes
 * what was done; contexts that were traced end for the listener.
 */
public final class LoadedAttachment implements LoadedLlama.Follower, AutoCloseable {
  private final LoadedLlama llama;
  private final RemoteListener listener;
  private final Set<Site> extra;
  private final BiFunction<Origin, RemoteContext, Optional<GgufFile>> models;

  /** A context, and where it is. */
  private record Entry(Origin origin, LoadedContext loaded) {}

  private final Map<Long, Entry> contexts = new ConcurrentHashMap<>();

  private LoadedAttachment(
      LoadedLlama llama,
      Set<Site> extra,
      BiFunction<Origin, RemoteContext, Optional<GgufFile>> models,
      RemoteListener listener) {
    this.llama = llama;
    this.extra = Set.copyOf(extra);
    this.models = models;
    this.listener = listener;
  }

  /**
   * Begins to trace all contexts that there are and will be.
   *
   * @param extra places to watch beside those that a tracer's configuration implies
   * @param models gives the file of a context's model, asked when it is first needed
   * @throws org.modeltracer.llama.LlamaException when no other code has loaded a llama.cpp
   */
  public static LoadedAttachment open(
      Set<Site> extra,
      BiFunction<Origin, RemoteContext, Optional<GgufFile>> models,
      RemoteListener listener) {
    var attachment = new LoadedAttachment(LlamaRuntime.attachLoaded(), extra, models, listener);
    attachment.llama.follow(attachment);
    return attachment;
  }

  private Entry entry(long scheduler, LoadedLlama.@Nullable Decoding decode) {
    return contexts.computeIfAbsent(
        scheduler,
        s -> {
          var origin =
              new Origin(
                  (int) ProcessHandle.current().pid(),
                  0,
                  decode == null ? 0 : decode.context(),
                  s,
                  llama.runtime().file().toString());
          ModelTracer tracer = listener.onTracer(origin);
          Set<Site> sites = SessionOptions.defaults().withExtraSites(extra).sites(tracer.config());
          var loaded =
              new LoadedContext(
                  llama.runtime(),
                  tracer,
                  sites,
                  c -> models.apply(origin, c),
                  c -> listener.onKnown(origin, c));
          listener.onContext(origin, loaded.context());
          return new Entry(origin, loaded);
        });
  }

  private @Nullable LoadedContext known(long scheduler) {
    Entry entry = contexts.get(scheduler);
    return entry == null ? null : entry.loaded;
  }

  @Override
  public void begin(
      long scheduler, boolean rebuilt, long[] nodes, LoadedLlama.@Nullable Decoding decode) {
    entry(scheduler, decode).loaded.begin(rebuilt, nodes, decode);
  }

  @Override
  public boolean wants(long scheduler, long tensor) {
    LoadedContext context = known(scheduler);
    return context != null && context.wants(tensor);
  }

  @Override
  public void observe(long scheduler, long tensor) {
    LoadedContext context = known(scheduler);
    if (context != null) {
      context.observe(tensor);
    }
  }

  @Override
  public void end(long scheduler) {
    LoadedContext context = known(scheduler);
    if (context != null) {
      context.end();
    }
  }

  @Override
  public void decoded(long scheduler) {
    LoadedContext context = known(scheduler);
    if (context != null) {
      context.decoded();
    }
  }

  @Override
  public void changed(
      long scheduler, CacheCall call, int sequence, int other, int from, int to, int delta) {
    LoadedContext context = known(scheduler);
    if (context != null) {
      context.context().changed(new CacheOperation(call, sequence, other, from, to, delta));
    }
  }

  @Override
  public void freed(long scheduler) {
    Entry entry = contexts.remove(scheduler);
    if (entry != null) {
      entry.loaded.context().end();
      listener.onEnd(entry.origin, entry.loaded.context());
    }
  }

  @Override
  public void failed(Throwable failure) {
    contexts
        .values()
        .forEach(e -> listener.onNote(e.origin, "tracing has ended: " + failure.getMessage()));
  }

  /** Puts everything back; to be called while no context decodes. */
  @Override
  public void close() {
    llama.close();
    Set.copyOf(contexts.keySet()).forEach(this::freed);
  }
}
