package org.modeltracer.llama;

import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import org.jspecify.annotations.Nullable;
import org.modeltracer.llama.ffi.LlamaFunctions;

/** Operations on what a context remembers, by sequence and position. */
public final class KvCache {
  /** Stands for "up to the end" as an end position. */
  public static final int END = -1;

  private final LlamaContext context;
  private final int sequences;
  private final boolean streams;
  private final LlamaFunctions llama;
  private final boolean shiftable;
  private final long handle;

  KvCache(LlamaContext context, LlamaFunctions llama, long contextAddress) {
    this.context = context;
    this.llama = llama;
    ContextOptions options = context.options();
    sequences = options.sequences().count();
    CStruct layout = context.model().runtime().layouts().context();
    streams = sequences > 1 && !options.sequences().unified() && layout.has("kv_unified");
    shiftable = isShiftable(options.cache().keys(), layout);
    handle = llama.memoryOf(contextAddress);
  }

  /** Whether the context has a memory at all; encoders have none. */
  public boolean exists() {
    return handle != 0;
  }

  /** Forgets everything. */
  public void clear() {
    change(() -> llama.clear(handle));
  }

  /**
   * Forgets positions {@code from <= p < to} of a sequence.
   *
   * @return false when that is not possible, as for part of a recurrent state
   */
  public boolean remove(int sequence, int from, int to) {
    int checked = check(sequence);
    return run(() -> llama.remove(handle, checked, from, to));
  }

  /**
   * Makes positions {@code from <= p < to} of one sequence part of another too.
   *
   * @throws LlamaException when sequences have a stream of cells each and this is not a whole one
   */
  public void copy(int source, int target, int from, int to) {
    int checkedSource = check(source);
    int checkedTarget = check(target);
    if (streams && source != target && (from > 0 || to >= 0)) {
      throw new LlamaException(
          LlamaException.Kind.ARGUMENT,
          "only a whole sequence can be copied between streams of cells;"
              + " a unified cache can copy parts");
    }
    change(() -> llama.copy(handle, checkedSource, checkedTarget, from, to));
  }

  /**
   * Moves positions {@code from <= p < to} of a sequence by {@code delta}.
   *
   * @throws LlamaException when this model's positions cannot be moved, see {@link #canShift}
   */
  public void shift(int sequence, int from, int to, int delta) {
    int checked = check(sequence);
    if (!canShift()) {
      throw new LlamaException(
          LlamaException.Kind.ARGUMENT, "the positions of this model's cache cannot be moved");
    }
    change(() -> llama.shift(handle, checked, from, to, delta));
  }

  /** Highest position of a sequence, -1 when it has none. */
  public int lastPosition(int sequence) {
    int checked = check(sequence);
    return run(
        () -> {
          int last = llama.lastPosition(handle, checked);
          return last != 0 || llama.hasMemoryObject() || holdsAny(checked) ? last : -1;
        });
  }

  /** Whether a sequence is not empty, which old generations do not tell from its being at 0. */
  private boolean holdsAny(int sequence) {
    long nothing = llama.stateBytes(context.address(), sequences);
    return llama.stateBytes(context.address(), sequence) > nothing;
  }

  /** Whether positions can be moved. */
  public boolean canShift() {
    return shiftable && run(() -> llama.canShift(handle));
  }

  /** Whether cached keys of that type can be rotated, as llama.cpp itself does not check. */
  private static boolean isShiftable(CacheType keys, CStruct layout) {
    return switch (keys) {
      case F32, F16 -> true;
      case BF16 -> false;
      // From b9842 on llama.cpp follows a null pointer here unless heads are a multiple of 64 wide.
      default -> !layout.has("n_rs_seq");
    };
  }

  private int check(int sequence) {
    if (sequence < 0 || sequence >= sequences) {
      throw new LlamaException(
          LlamaException.Kind.ARGUMENT,
          "sequence " + sequence + " of a context that was set up for " + sequences);
    }
    return sequence;
  }

  private void change(Runnable call) {
    run(Executors.callable(call));
  }

  private <T extends @Nullable Object> T run(Callable<T> call) {
    if (!exists()) {
      throw new LlamaException(
          LlamaException.Kind.ARGUMENT, "this model has no memory of earlier tokens");
    }
    return context.call(
        () -> {
          context.requireIdle();
          context.address();
          return call.call();
        });
  }
}
