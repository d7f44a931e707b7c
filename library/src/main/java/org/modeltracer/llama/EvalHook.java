package org.modeltracer.llama;

import java.lang.foreign.Arena;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.modeltracer.llama.ffi.NativeLibrary;
import org.modeltracer.llama.ffi.Upcalls;
import org.modeltracer.process.Trail;

/**
 * The one upcall of a context: llama.cpp's {@code cb_eval}.
 *
 * <p>It answers true when data is delivered: false would not cancel a decode but corrupt it,
 * leaving later layers unwritten. Only where nothing else ends a pass that was cancelled, on
 * devices that do not poll, it answers false, and the decode must be taken back. Nothing thrown by
 * an observer reaches native code; it is kept, the rest of the pass runs unobserved, and the decode
 * rethrows it.
 */
final class EvalHook {
  private final Trail trail = Trail.own();
  private final Tensor window;
  private final long address;
  private final BooleanSupplier cancelled;
  private @Nullable TensorObserver observer;
  private @Nullable Throwable failure;
  private boolean cut;

  EvalHook(LlamaRuntime runtime, Arena arena, BooleanSupplier cancelled) {
    this.cancelled = cancelled;
    window = new Tensor(runtime);
    address = Upcalls.evaluation(this::evaluated, arena);
  }

  long address() {
    return address;
  }

  void observer(@Nullable TensorObserver next) {
    observer = next;
  }

  private boolean evaluated(long tensor, boolean ask, long userData) {
    TensorObserver current = observer;
    try {
      if (!ask) {
        trail.computed();
      } else if (tensor != 0) {
        window.at(tensor).mark(trail);
      }
      if (cancelled.getAsBoolean() && tensor != 0 && !window.at(tensor).isHost()) {
        cut |= !ask;
        return ask;
      }
      if (current == null || failure != null || tensor == 0) {
        return !ask;
      }
      window.at(tensor);
      if (ask) {
        return current.wants(window);
      }
      current.observe(window);
      return true;
    } catch (Throwable thrown) {
      failure = thrown;
      return !ask;
    }
  }

  /** Rethrows what an observer threw during the last pass, once. */
  void rethrow() {
    Throwable thrown = failure;
    failure = null;
    if (thrown != null) {
      throw NativeLibrary.unexpected(thrown);
    }
  }

  /** Whether a cancelled pass was cut short, and what it wrote is not whole; asked once. */
  boolean wasCut() {
    boolean was = cut;
    cut = false;
    return was;
  }
}
