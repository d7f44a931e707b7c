package org.modeltracer.llama.ffi;

import java.lang.foreign.Arena;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;

/**
 * Java methods as C function pointers, which live as long as their arena.
 *
 * <p>None may throw: an exception that reaches native code ends the process.
 */
@SuppressWarnings("restricted")
public final class Upcalls {
  private Upcalls() {}

  /** {@code ggml_backend_sched_eval_callback}. */
  public interface Evaluation {
    /** Whether a node is wanted, or after it was computed whether to go on. */
    boolean evaluated(long tensor, boolean ask, long userData);
  }

  /** {@code ggml_abort_callback}, polled between nodes. */
  public interface Poll {
    /** Whether the pass is to end. */
    boolean aborted(long userData);
  }

  /** {@code llama_progress_callback}. */
  public interface Progress {
    /** Whether to go on loading, of which that share is done. */
    boolean loaded(float share, long userData);
  }

  /** {@code ggml_log_callback}. */
  public interface Log {
    /** A part of a line: its level, and its text by address. */
    void receive(int level, long text, long userData);
  }

  /** {@code ggml_abort_callback_t}, called when an assertion of ggml's own fails. */
  public interface Ending {
    /** ggml's last words by address. */
    void aborting(long message);
  }

  /** The address of a callback. */
  public static long evaluation(Evaluation callback, Arena arena) {
    return stub(Evaluation.class, "evaluated", callback, "pbp:b", arena);
  }

  /** {@code ggml_backend_sched_set_eval_callback}, in place of the real one. */
  public interface SetCallback {
    /** Sets the callback of a scheduler. */
    void set(long scheduler, long callback, long data);
  }

  /** {@code ggml_backend_sched_graph_compute_async}, in place of the real one. */
  public interface Compute {
    /** Computes a graph; returns a status. */
    int compute(long scheduler, long graph);
  }

  /** {@code ggml_backend_sched_free}, in place of the real one. */
  public interface Free {
    /** Frees a scheduler. */
    void free(long scheduler);
  }

  /** {@code llama_decode}, in place of the real one. */
  public interface Decode {
    /** Decodes a batch; returns a status. */
    int decode(long context, MemorySegment batch);
  }

  /** {@code llama_memory_clear}, in place of the real one. */
  public interface Clear {
    /** Forgets everything. */
    void clear(long cache, boolean data);
  }

  /** {@code llama_memory_seq_rm}, in place of the real one. */
  public interface Remove {
    /** Forgets positions of a sequence; whether that was possible. */
    boolean remove(long cache, int sequence, int from, int to);
  }

  /** {@code llama_memory_seq_keep}, in place of the real one. */
  public interface Keep {
    /** Forgets all sequences but one. */
    void keep(long cache, int sequence);
  }

  /** {@code llama_memory_seq_cp} or {@code llama_memory_seq_add}, in place of the real one. */
  public interface Rearrange {
    /** Takes what the function takes. */
    void rearrange(long cache, int first, int second, int third, int fourth);
  }

  /** The address of a callback. */
  public static long clear(Clear callback, Arena arena) {
    return stub(Clear.class, "clear", callback, "pb:v", arena);
  }

  /** The address of a callback. */
  public static long remove(Remove callback, Arena arena) {
    return stub(Remove.class, "remove", callback, "piii:b", arena);
  }

  /** The address of a callback. */
  public static long keep(Keep callback, Arena arena) {
    return stub(Keep.class, "keep", callback, "pi:v", arena);
  }

  /** The address of a callback. */
  public static long rearrange(Rearrange callback, Arena arena) {
    return stub(Rearrange.class, "rearrange", callback, "piiii:v", arena);
  }

  /** The address of a callback. */
  public static long setCallback(SetCallback callback, Arena arena) {
    return stub(SetCallback.class, "set", callback, "ppp:v", arena);
  }

  /** The address of a callback. */
  public static long compute(Compute callback, Arena arena) {
    return stub(Compute.class, "compute", callback, "pp:i", arena);
  }

  /** The address of a callback. */
  public static long free(Free callback, Arena arena) {
    return stub(Free.class, "free", callback, "p:v", arena);
  }

  /** The address of a callback. */
  public static long decode(Decode callback, Arena arena) {
    return stub(Decode.class, "decode", callback, "pB:i", arena);
  }

  /** The address of a callback. */
  public static long poll(Poll callback, Arena arena) {
    return stub(Poll.class, "aborted", callback, "p:b", arena);
  }

  /** The address of a callback. */
  public static long progress(Progress callback, Arena arena) {
    return stub(Progress.class, "loaded", callback, "fp:b", arena);
  }

  /** The address of a callback. */
  public static long log(Log callback, Arena arena) {
    return stub(Log.class, "receive", callback, "ipp:v", arena);
  }

  /** The address of a callback. */
  public static long ending(Ending callback, Arena arena) {
    return stub(Ending.class, "aborting", callback, "p:v", arena);
  }

  private static <T> long stub(
      Class<T> type, String method, T callback, String signature, Arena arena) {
    var descriptor = NativeLibrary.descriptor(signature);
    MethodType carried = descriptor.toMethodType();
    try {
      var target = MethodHandles.lookup().findVirtual(type, method, carried).bindTo(callback);
      return Linker.nativeLinker().upcallStub(target, descriptor, arena).address();
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(e);
    }
  }
}
