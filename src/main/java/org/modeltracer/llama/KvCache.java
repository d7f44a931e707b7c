package org.modeltracer.llama;

import java.lang.invoke.MethodHandle;

/** Operations on what a context remembers, by sequence and position. */
public final class KvCache {
  /** Stands for "up to the end" as an end position. */
  public static final int END = -1;

  private final LlamaContext context;
  private final long handle;
  private final MethodHandle clear;
  private final boolean clearTakesData;
  private final MethodHandle remove;
  private final MethodHandle copy;
  private final MethodHandle keep;
  private final MethodHandle add;
  private final MethodHandle positionMax;
  private final MethodHandle canShift;

  KvCache(LlamaContext context, NativeLibrary library, long contextAddress) {
    this.context = context;
    // Recent generations have a memory object; older ones take the context itself.
    boolean memory = library.has("llama_get_memory");
    String prefix = memory ? "llama_memory_" : "llama_kv_self_";
    try {
      handle =
          memory
              ? (long) library.function("llama_get_memory", "p:p").invokeExact(contextAddress)
              : contextAddress;
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
    clearTakesData = memory;
    clear = library.function(prefix + "clear", memory ? "pb:v" : "p:v");
    remove = library.function(prefix + "seq_rm", "piii:b");
    copy = library.function(prefix + "seq_cp", "piiii:v");
    keep = library.function(prefix + "seq_keep", "pi:v");
    add = library.function(prefix + "seq_add", "piiii:v");
    positionMax = library.function(prefix + "seq_pos_max", "pi:i");
    canShift = library.function(prefix + "can_shift", "p:b");
  }

  /** Whether the context has a memory at all; encoders have none. */
  public boolean exists() {
    return handle != 0;
  }

  /** Forgets everything. */
  public void clear() {
    run(
        () -> {
          if (clearTakesData) {
            clear.invokeExact(handle, true);
          } else {
            clear.invokeExact(handle);
          }
          return null;
        });
  }

  /**
   * Forgets positions {@code from <= p < to} of a sequence.
   *
   * @return false when that is not possible, as for part of a recurrent state
   */
  public boolean remove(int sequence, int from, int to) {
    return run(() -> (boolean) remove.invokeExact(handle, sequence, from, to));
  }

  /** Makes positions {@code from <= p < to} of one sequence part of another too. */
  public void copy(int source, int target, int from, int to) {
    run(
        () -> {
          copy.invokeExact(handle, source, target, from, to);
          return null;
        });
  }

  /** Forgets all sequences but one. */
  public void keep(int sequence) {
    run(
        () -> {
          keep.invokeExact(handle, sequence);
          return null;
        });
  }

  /** Moves positions {@code from <= p < to} of a sequence by {@code delta}. */
  public void shift(int sequence, int from, int to, int delta) {
    run(
        () -> {
          add.invokeExact(handle, sequence, from, to, delta);
          return null;
        });
  }

  /** Highest position of a sequence, -1 when it has none. */
  public int lastPosition(int sequence) {
    return run(() -> (int) positionMax.invokeExact(handle, sequence));
  }

  /** Whether positions can be moved. */
  public boolean canShift() {
    return run(() -> (boolean) canShift.invokeExact(handle));
  }

  private interface NativeCall<T> {
    T run() throws Throwable;
  }

  private <T> T run(NativeCall<T> call) {
    if (!exists()) {
      throw new LlamaException(
          LlamaException.Kind.ARGUMENT, "this model has no memory of earlier tokens");
    }
    return context.call(
        () -> {
          try {
            return call.run();
          } catch (Throwable failure) {
            throw NativeLibrary.unexpected(failure);
          }
        });
  }
}
