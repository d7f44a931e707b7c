package org.modeltracer.llama;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import org.modeltracer.llama.ffi.JumpSlots;
import org.modeltracer.llama.ffi.LinkException;
import org.modeltracer.llama.ffi.LlamaFunctions;
import org.modeltracer.llama.ffi.Mappings;
import org.modeltracer.llama.ffi.NativeMemory;
import org.modeltracer.llama.ffi.SchedulerFunctions;
import org.modeltracer.llama.ffi.Upcalls;

/**
 * A llama.cpp that other code of this process has loaded and works with.
 *
 * <p>Its jump slots of a few functions are pointed at this class, which calls the real ones. What
 * is thrown here never reaches native code: it ends the following, not the program. Closing puts
 * the slots back; a scheduler gets its own callback back when its next graph is built, and until
 * then ours answers no.
 */
public final class LoadedLlama implements AutoCloseable {
  private static final long CALLBACK = 0;

  /** Follows schedulers at work, each on the thread that decodes. */
  public interface Follower {
    /**
     * A graph is about to be computed.
     *
     * @param rebuilt whether it may be another than the one before, at the same addresses
     * @param nodes addresses of its tensors, in execution order
     * @param decode what is being decoded, null when that is not known
     */
    void begin(long scheduler, boolean rebuilt, long[] nodes, @Nullable Decoding decode);

    /** Whether a node is wanted, the next one in order. */
    boolean wants(long scheduler, long tensor);

    /** A wanted node has been computed. */
    void observe(long scheduler, long tensor);

    /** The graph has been computed. */
    void end(long scheduler);

    /** A batch has been decoded. */
    void decoded(long scheduler);

    /**
     * The program has changed what a context remembers.
     *
     * @param sequence whose positions {@code from <= p < to}; negative for all
     * @param other the sequence that a copy goes to
     * @param delta by how much positions move
     */
    void changed(
        long scheduler, CacheCall call, int sequence, int other, int from, int to, int delta);

    /** A scheduler is no more. */
    void freed(long scheduler);

    /** Following has ended because of a failure of our own. */
    void failed(Throwable failure);
  }

  /** A token of a batch; a position of -1 is left to llama.cpp. */
  public record BatchToken(int token, int position, int sequence, boolean output) {}

  /** A call of {@code llama_decode}. */
  public record Decoding(long context, List<BatchToken> tokens) {}

  /** A scheduler, and the callback it would have without us. */
  private final class Hooked {
    private final long scheduler;
    private final long stub = Upcalls.evaluation(this::evaluated, Arena.global());
    private long callback;
    private long data;
    private boolean armed;
    private boolean rebuilt = true;
    private boolean mine;
    private boolean theirs;

    Hooked(long scheduler) {
      this.scheduler = scheduler;
    }

    private boolean evaluated(long tensor, boolean ask, long ignored) {
      try {
        if (ask) {
          Follower now = follower;
          mine = now != null && tensor != 0 && now.wants(scheduler, tensor);
          theirs = callback != 0 && SchedulerFunctions.evaluate(callback, tensor, true, data);
          return mine || theirs;
        }
        Follower now = follower;
        if (mine && now != null) {
          now.observe(scheduler, tensor);
        }
        return !theirs || SchedulerFunctions.evaluate(callback, tensor, false, data);
      } catch (Throwable failure) {
        failed(failure);
        return !ask;
      }
    }
  }

  private final LlamaRuntime runtime;
  private final SchedulerFunctions functions;
  private final LlamaFunctions llama;
  private final List<String> files;

  /** Schedulers by what their contexts remember with. */
  private final Map<Long, Set<Long>> caches = new ConcurrentHashMap<>();

  private final JumpSlots slots = new JumpSlots();
  private final Map<Long, Hooked> schedulers = new ConcurrentHashMap<>();

  // Of this follower alone: there is one for a library, and threads know both for as long.
  @SuppressWarnings("ThreadLocalUsage")
  private final ThreadLocal<@Nullable Decoding> decoding = new ThreadLocal<>();

  @SuppressWarnings("ThreadLocalUsage")
  private final ThreadLocal<Set<Long>> computed = ThreadLocal.withInitial(HashSet::new);

  private volatile @Nullable Follower follower;

  private LoadedLlama(LlamaRuntime runtime, List<String> files) {
    this.runtime = runtime;
    this.files = files;
    functions = new SchedulerFunctions(runtime.library());
    llama = runtime.functions();
  }

  /** Finds the llama.cpp that other code has loaded; see {@link LlamaRuntime#attachLoaded}. */
  static LoadedLlama find() {
    List<String> others =
        Mappings.libraries().stream().filter(f -> !LlamaRuntime.isOurs(Path.of(f))).toList();
    List<String> llamas =
        others.stream().filter(f -> JumpSlots.has(f, SchedulerFunctions.SET_CALLBACK)).toList();
    if (llamas.isEmpty()) {
      throw new LlamaException(
          LlamaException.Kind.LIBRARY,
          "no other code of this process has loaded a shared llama.cpp: attach when it has");
    }
    try {
      String llama = llamas.getLast();
      // Of several nothing tells which of them the slot of a third library leads to.
      List<String> files =
          llamas.size() > 1
              ? List.of(llama)
              : others.stream()
                  .filter(f -> f.equals(llama) || JumpSlots.has(f, SchedulerFunctions.DECODE))
                  .toList();
      return new LoadedLlama(LlamaRuntime.ofLoaded(Path.of(llama)), files);
    } catch (LinkException e) {
      throw new LlamaException(LlamaException.Kind.LIBRARY, String.valueOf(e.getMessage()), e);
    }
  }

  /** The library, for windows on its tensors. */
  public LlamaRuntime runtime() {
    return runtime;
  }

  /** Follows all schedulers from now on. */
  public void follow(Follower next) {
    follower = next;
    Arena always = Arena.global();
    String cache = llama.cachePrefix();
    Map<String, Long> replacements =
        Map.of(
            SchedulerFunctions.SET_CALLBACK,
            Upcalls.setCallback(this::set, always),
            SchedulerFunctions.COMPUTE,
            Upcalls.compute(this::compute, always),
            SchedulerFunctions.FREE,
            Upcalls.free(this::free, always),
            SchedulerFunctions.DECODE,
            Upcalls.decode(this::decode, always),
            cache + "clear",
            Upcalls.clear(this::clear, always),
            cache + "seq_rm",
            Upcalls.remove(this::remove, always),
            cache + "seq_cp",
            Upcalls.rearrange(this::copy, always),
            cache + "seq_keep",
            Upcalls.keep(this::keep, always),
            cache + "seq_add",
            Upcalls.rearrange(this::shift, always));
    files.forEach(file -> slots.redirect(file, replacements));
  }

  private void clear(long cache, boolean data) {
    llama.clear(cache, data);
    changed(cache, CacheCall.CLEAR, -1, 0, 0, -1, 0);
  }

  private boolean remove(long cache, int sequence, int from, int to) {
    boolean done = llama.remove(cache, sequence, from, to);
    if (done) {
      changed(cache, CacheCall.REMOVE, sequence, 0, from, to, 0);
    }
    return done;
  }

  private void copy(long cache, int source, int target, int from, int to) {
    llama.copy(cache, source, target, from, to);
    changed(cache, CacheCall.COPY, source, target, from, to, 0);
  }

  private void keep(long cache, int sequence) {
    llama.keep(cache, sequence);
    changed(cache, CacheCall.KEEP, sequence, 0, 0, -1, 0);
  }

  private void shift(long cache, int sequence, int from, int to, int delta) {
    llama.shift(cache, sequence, from, to, delta);
    changed(cache, CacheCall.SHIFT, sequence, 0, from, to, delta);
  }

  private void changed(
      long cache, CacheCall call, int sequence, int other, int from, int to, int delta) {
    Follower now = follower;
    try {
      if (now != null) {
        for (long scheduler : caches.getOrDefault(cache, Set.of())) {
          now.changed(scheduler, call, sequence, other, from, to, delta);
        }
      }
    } catch (Throwable failure) {
      failed(failure);
    }
  }

  private void failed(Throwable failure) {
    Follower now = follower;
    follower = null;
    if (now != null) {
      try {
        now.failed(failure);
      } catch (Throwable ignored) {
        // Nothing may reach native code; the following has ended.
      }
    }
  }

  private void set(long scheduler, long callback, long data) {
    if (follower == null) {
      functions.setCallback(scheduler, callback, data);
      return;
    }
    Hooked hooked = schedulers.computeIfAbsent(scheduler, Hooked::new);
    hooked.callback = callback;
    hooked.data = data;
    hooked.rebuilt = true;
    hooked.armed = true;
    functions.setCallback(scheduler, hooked.stub, CALLBACK);
  }

  private int compute(long scheduler, long graph) {
    Follower now = follower;
    if (now == null) {
      return functions.compute(scheduler, graph);
    }
    Hooked hooked = schedulers.computeIfAbsent(scheduler, Hooked::new);
    if (!hooked.armed) {
      // Its graph was built before anybody looked, and is used again.
      hooked.armed = true;
      functions.setCallback(scheduler, hooked.stub, CALLBACK);
    }
    try {
      long[] nodes = new long[functions.nodes(graph)];
      for (int i = 0; i < nodes.length; i++) {
        nodes[i] = functions.node(graph, i);
      }
      now.begin(scheduler, hooked.rebuilt, nodes, decoding.get());
      hooked.rebuilt = false;
      computed.get().add(scheduler);
    } catch (Throwable failure) {
      failed(failure);
    }
    int status = functions.compute(scheduler, graph);
    try {
      now.end(scheduler);
    } catch (Throwable failure) {
      failed(failure);
    }
    return status;
  }

  private void free(long scheduler) {
    schedulers.remove(scheduler);
    caches.values().forEach(all -> all.remove(scheduler));
    Follower now = follower;
    try {
      if (now != null) {
        now.freed(scheduler);
      }
    } catch (Throwable failure) {
      failed(failure);
    }
    functions.free(scheduler);
  }

  private int decode(long context, MemorySegment batch) {
    Decoding before = decoding.get();
    Set<Long> ran = computed.get();
    try {
      decoding.set(follower == null ? null : read(context, batch));
      ran.clear();
    } catch (Throwable failure) {
      failed(failure);
    }
    int status = functions.decode(context, batch);
    decoding.set(before);
    Follower now = follower;
    try {
      if (now != null && !ran.isEmpty()) {
        ran.forEach(now::decoded);
        caches
            .computeIfAbsent(llama.memoryOf(context), c -> ConcurrentHashMap.newKeySet())
            .addAll(ran);
      }
    } catch (Throwable failure) {
      failed(failure);
    }
    return status;
  }

  private static @Nullable Decoding read(long context, MemorySegment batch) {
    int n = batch.get(ValueLayout.JAVA_INT, 0);
    long tokens = batch.get(ValueLayout.JAVA_LONG, 8);
    long positions = batch.get(ValueLayout.JAVA_LONG, 24);
    long counts = batch.get(ValueLayout.JAVA_LONG, 32);
    long sequences = batch.get(ValueLayout.JAVA_LONG, 40);
    long outputs = batch.get(ValueLayout.JAVA_LONG, 48);
    if (n <= 0 || tokens == 0) {
      return null;
    }
    var all = new ArrayList<BatchToken>(n);
    for (int i = 0; i < n; i++) {
      boolean named = counts != 0 && sequences != 0 && integer(counts, i) > 0;
      all.add(
          new BatchToken(
              integer(tokens, i),
              positions == 0 ? -1 : integer(positions, i),
              named
                  ? integer(NativeMemory.at(sequences + 8L * i, 8).get(ValueLayout.JAVA_LONG, 0), 0)
                  : 0,
              outputs == 0
                  ? i == n - 1
                  : NativeMemory.at(outputs + i, 1).get(ValueLayout.JAVA_BYTE, 0) != 0));
    }
    return new Decoding(context, all);
  }

  private static int integer(long address, int i) {
    return NativeMemory.at(address + 4L * i, 4).get(ValueLayout.JAVA_INT, 0);
  }

  @Override
  public void close() {
    follower = null;
    slots.undo();
  }
}
