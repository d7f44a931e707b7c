package org.modeltracer.attach;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BiFunction;
import org.jspecify.annotations.Nullable;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.llama.LlamaException;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.model.Site;
import org.modeltracer.session.SessionOptions;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;

/**
 * Reads what traced processes tell, until it is closed.
 *
 * <p>One thread of its own reads all of them; listeners and tracers are called there. A program
 * that dies leaves what it has told so far; it is told apart from one that has ended by {@link
 * Process} alone.
 */
public final class Attachment implements AutoCloseable {
  /** Contexts that can be traced at once. */
  private static final int SLOTS = 32;

  private static final String GAVE_UP =
      "a program has waited too long for this one and went on untraced: trace fewer places or"
          + " layers, or let it leave out what does not fit";

  private static final int NAME = 1024;
  private static final int MOST_NOTE = 400;
  private static final int BURST = 256;
  private static final long BEAT_NANOS = 100_000_000;

  // Who wakes up often for nothing takes time from a program that shares its core.
  private static final long NAP_NANOS = 50_000;
  private static final long LONG_NAP_NANOS = 2_000_000;

  /** What becomes of records for which there is no room. */
  public enum Overflow {
    /** The program waits, for a moment. */
    BLOCK,
    /** They are left out, and counted. */
    DROP
  }

  /** Who reads a slot. */
  private static final class Reader {
    final Slot slot;
    @Nullable Origin origin;
    @Nullable RemoteContext context;
    boolean broken;

    Reader(Slot slot) {
      this.slot = slot;
    }
  }

  private final LlamaRuntime runtime;
  private final Channel channel;
  private final RemoteListener listener;
  private final Set<Site> extra;
  private final BiFunction<Origin, RemoteContext, Optional<GgufFile>> models;
  private final Map<Slot, Reader> readers = new HashMap<>();
  private final Thread thread;
  private final Thread heart;
  private final AtomicBoolean closed = new AtomicBoolean();
  private volatile boolean closing;

  /**
   * Begins to read.
   *
   * @param runtime a llama.cpp of this process, whose element types are used; no model is loaded
   * @param ringBytes room for records of one context: a power of two
   * @param extra places to watch beside those that a tracer's configuration implies
   * @param models gives the file of a context's model, asked when it is first needed
   * @throws LlamaException where memory cannot be shared
   */
  public Attachment(
      LlamaRuntime runtime,
      long ringBytes,
      Overflow overflow,
      Set<Site> extra,
      BiFunction<Origin, RemoteContext, Optional<GgufFile>> models,
      RemoteListener listener) {
    this.runtime = runtime;
    this.extra = Set.copyOf(extra);
    this.models = models;
    this.listener = listener;
    channel = new Channel(SLOTS, ringBytes, overflow == Overflow.DROP);
    for (Slot slot : channel.slots()) {
      readers.put(slot, new Reader(slot));
    }
    thread = Thread.ofPlatform().name("attached").daemon().start(this::read);
    heart = Thread.ofPlatform().name("attached heart").daemon().start(this::beat);
  }

  /** Value of the variable by which an agent finds this. */
  public String path() {
    return channel.path();
  }

  /** Sets what makes an agent trace the programs that a process starts. */
  public void into(Map<String, String> environment, String agent) {
    environment.put(Channel.VARIABLE, path());
    String before = environment.get("LD_PRELOAD");
    environment.put(
        "LD_PRELOAD", before == null || before.isBlank() ? agent : agent + ":" + before);
  }

  /** Apart from the reading, which takes as long as listeners do. */
  private void beat() {
    while (thread.isAlive()) {
      channel.beat();
      LockSupport.parkNanos(BEAT_NANOS);
    }
  }

  /**
   * Loads the agent into a process that runs already; closing this takes it out of its way again.
   *
   * @param injector the program that does it
   * @param agent the library
   * @throws LlamaException in one line, where that is not possible
   */
  public void inject(long pid, Path injector, Path agent) {
    var builder =
        new ProcessBuilder(injector.toString(), Long.toString(pid), agent.toString(), path());
    String said;
    int code;
    try {
      Process process = builder.redirectErrorStream(true).start();
      said = new String(process.getInputStream().readNBytes(MOST_NOTE), StandardCharsets.UTF_8);
      code = process.waitFor();
    } catch (IOException e) {
      throw refused(pid, "cannot start " + injector);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw refused(pid, "interrupted");
    }
    if (code != 0) {
      throw refused(pid, said.strip());
    }
  }

  private static LlamaException refused(long pid, String why) {
    return new LlamaException(
        LlamaException.Kind.ARGUMENT, "cannot attach to process %d: %s".formatted(pid, why));
  }

  private void read() {
    long nap = NAP_NANOS;
    while (!closing) {
      boolean any = false;
      for (Slot slot : channel.slots()) {
        any |= drain(slot);
      }
      nap = any ? NAP_NANOS : Math.min(LONG_NAP_NANOS, 2 * nap);
      if (!any) {
        LockSupport.parkNanos(nap);
      }
    }
    channel.stop();
    for (Slot slot : channel.slots()) {
      while (drain(slot)) {
        Thread.onSpinWait();
      }
      end(slot);
    }
  }

  /** Reads what a slot holds, not all of it when that is much; whether there was anything. */
  private boolean drain(Slot slot) {
    int state = slot.state();
    if (state == Slot.FREE) {
      return false;
    }
    Reader reader = reader(slot);
    if (reader.broken) {
      slot.discard();
      if (state == Slot.DONE || gone(slot)) {
        end(slot);
      }
      return false;
    }
    int records = 0;
    try {
      for (MemorySegment record = slot.next();
          record != null && records < BURST;
          record = records < BURST ? slot.next() : null) {
        take(reader, record);
        slot.release();
        records++;
      }
    } catch (RuntimeException e) {
      reader.broken = true;
      slot.answered(Integer.MAX_VALUE);
      note(reader, "what it tells makes no sense, nothing more is read: " + e.getMessage());
    }
    boolean over = records == 0 && (state == Slot.DONE || gone(slot));
    // Before it was gone it may have told more than there was when the slot was looked into.
    if (over && slot.isEmpty()) {
      end(slot);
      return false;
    }
    return over || records > 0;
  }

  private Reader reader(Slot slot) {
    return readers.computeIfAbsent(slot, Reader::new);
  }

  private static boolean gone(Slot slot) {
    return ProcessHandle.of(Integer.toUnsignedLong(slot.pid()))
        .filter(ProcessHandle::isAlive)
        .isEmpty();
  }

  private void take(Reader reader, MemorySegment record) {
    RecordType type = RecordType.of(record.get(ValueLayout.JAVA_INT_UNALIGNED, 4));
    if (type == null) {
      throw new Slot.Broken("a record of no known type");
    }
    if (type == RecordType.HELLO && reader.context == null) {
      hello(reader, record);
    }
    RemoteContext context = reader.context;
    if (context == null) {
      return;
    }
    if (type == RecordType.NOTE) {
      long most = Math.min(MOST_NOTE, record.byteSize() - 24);
      long bytes = Math.clamp(record.get(ValueLayout.JAVA_LONG_UNALIGNED, 16), 0, most);
      byte[] text = record.asSlice(24, bytes).toArray(ValueLayout.JAVA_BYTE);
      note(reader, new String(text, StandardCharsets.UTF_8));
    }
    boolean working = context.failure() == null;
    context.take(type, record);
    if (working && context.failure() != null) {
      note(reader, "nothing more is read of it: " + context.failure());
    }
  }

  private void hello(Reader reader, MemorySegment record) {
    long path =
        Math.clamp(Integer.toUnsignedLong(record.get(ValueLayout.JAVA_INT_UNALIGNED, 40)), 0, NAME);
    var origin =
        new Origin(
            record.get(ValueLayout.JAVA_INT_UNALIGNED, 32),
            record.get(ValueLayout.JAVA_INT_UNALIGNED, 36),
            record.get(ValueLayout.JAVA_LONG_UNALIGNED, 16),
            record.get(ValueLayout.JAVA_LONG_UNALIGNED, 24),
            RemoteGraph.text(record, 48, (int) Math.min(path, record.byteSize() - 48)));
    reader.origin = origin;
    ModelTracer tracer = listener.onTracer(origin);
    Set<Site> sites = sites(tracer.config());
    var context =
        new RemoteContext(
            runtime,
            tracer,
            reader.slot,
            sites,
            c -> models.apply(origin, c),
            c -> listener.onKnown(origin, c));
    reader.context = context;
    listener.onContext(origin, context);
  }

  private Set<Site> sites(TracerConfig config) {
    return SessionOptions.defaults().withExtraSites(extra).sites(config);
  }

  private void note(Reader reader, String words) {
    Origin origin = reader.origin;
    if (origin != null) {
      listener.onNote(origin, words);
    }
  }

  private void end(Slot slot) {
    Reader reader = readers.remove(slot);
    if (reader == null) {
      return;
    }
    RemoteContext context = reader.context;
    Origin origin = reader.origin;
    if (context != null && origin != null) {
      context.end();
      if (channel.gaveUp()) {
        note(reader, GAVE_UP);
      }
      listener.onEnd(origin, context);
    }
    slot.free();
  }

  /** Whether every context that has begun has ended. */
  public boolean idle() {
    return channel.slots().stream().allMatch(slot -> slot.state() == Slot.FREE);
  }

  /** Ends the reading: programs go on untraced, tracers have what was told. */
  @Override
  public void close() {
    closing = true;
    LockSupport.unpark(thread);
    await(thread);
    LockSupport.unpark(heart);
    await(heart);
    if (!closed.getAndSet(true)) {
      channel.close();
    }
  }

  private static void await(Thread thread) {
    boolean interrupted = false;
    while (thread.isAlive()) {
      try {
        thread.join();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
