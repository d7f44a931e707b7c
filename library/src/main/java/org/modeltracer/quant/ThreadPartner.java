package org.modeltracer.quant;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Set;
import java.util.concurrent.SynchronousQueue;
import org.jspecify.annotations.Nullable;
import org.modeltracer.graph.NodeInfo;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.probe.NodeValues;

/**
 * The other model in this process, on a thread of its own.
 *
 * <p>Its thread waits inside llama.cpp's callback while a node is looked at, so nothing is copied.
 */
final class ThreadPartner implements Partner {
  /** What the running thread says: a node, or that the pass is over, or how it failed. */
  private record Word(@Nullable Frame frame, @Nullable Throwable failure) {}

  private record Answer(@Nullable MemorySegment values) {}

  private final LlamaRuntime runtime;
  private final OpenModel model;
  private final SynchronousQueue<Word> words = new SynchronousQueue<>();
  private final SynchronousQueue<Answer> answers = new SynchronousQueue<>();
  private final SynchronousQueue<Answer> taken = new SynchronousQueue<>();
  private boolean running;
  private boolean owesAnswer;

  ThreadPartner(LlamaRuntime beside, Setup setup) {
    runtime = beside.beside();
    try {
      model = new OpenModel(runtime, setup);
    } catch (RuntimeException e) {
      runtime.close();
      throw e;
    }
  }

  @Override
  public String version() {
    return runtime.version();
  }

  @Override
  public boolean offloads() {
    return model.offloads();
  }

  @Override
  public List<NodeInfo> nodes() {
    return model.session().nodes();
  }

  /** The model that runs here. */
  OpenModel model() {
    return model;
  }

  @Override
  public void begin(int[] tokens, Set<String> wanted, Set<String> steered) {
    running = true;
    Thread.ofPlatform()
        .daemon()
        .name("other model")
        .start(
            () -> {
              Throwable failure = null;
              try {
                model.read(tokens, wanted, values -> show(values, steered));
              } catch (Throwable t) {
                failure = t;
              }
              say(new Word(null, failure));
            });
  }

  private void show(NodeValues values, Set<String> steered) {
    boolean waits = steered.contains(values.node().key()) && values.replaceable();
    say(
        new Word(
            new Frame(
                values.node().index(),
                values.firstPosition(),
                values.rows(),
                values.width(),
                waits,
                values.values()),
            null));
    Answer answer = uninterrupted(answers::take);
    if (answer.values() != null) {
      try {
        values.replace(answer.values());
      } finally {
        put(taken, answer);
      }
    }
  }

  private void say(Word word) {
    put(words, word);
  }

  @Override
  public @Nullable Frame next() {
    if (!running) {
      return null;
    }
    if (owesAnswer) {
      answer(null);
    }
    Word word = uninterrupted(words::take);
    if (word.frame() == null) {
      running = false;
      rethrow(word.failure());
    }
    owesAnswer = word.frame() != null;
    return word.frame();
  }

  private static void rethrow(@Nullable Throwable failure) {
    if (failure instanceof Error error) {
      throw error;
    }
    if (failure instanceof RuntimeException runtime) {
      throw runtime;
    }
  }

  @Override
  public void answer(@Nullable MemorySegment values) {
    owesAnswer = false;
    put(answers, new Answer(values));
    if (values != null) {
      // They may lie in the reference's own buffer, which it overwrites when it goes on.
      uninterrupted(taken::take);
    }
  }

  @Override
  public void abandon() {
    if (!running) {
      return;
    }
    model.session().cancel();
    while (running) {
      try {
        next();
      } catch (RuntimeException ended) {
        running = false;
      }
    }
    model.session().context().resume();
  }

  private static <T> void put(SynchronousQueue<T> queue, T thing) {
    uninterrupted(
        () -> {
          queue.put(thing);
          return thing;
        });
  }

  /** One side of a meeting that both sides keep: neither may leave the other waiting. */
  private static <T> T uninterrupted(Meeting<T> meeting) {
    boolean interrupted = false;
    try {
      while (true) {
        try {
          return meeting.keep();
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  private interface Meeting<T> {
    T keep() throws InterruptedException;
  }

  @Override
  public void close() {
    abandon();
    model.close();
    runtime.close();
  }
}
