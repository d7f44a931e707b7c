package org.modeltracer.llama;

import java.lang.foreign.Arena;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import org.jspecify.annotations.Nullable;

/**
 * The one upcall of a context: llama.cpp's {@code cb_eval}.
 *
 * <p>It always answers true when data is delivered: false would not cancel a decode but corrupt it,
 * leaving later layers unwritten. Nothing thrown by an observer reaches native code; it is kept,
 * the rest of the pass runs unobserved, and the decode rethrows it.
 */
@SuppressWarnings("restricted")
final class EvalHook {
  private final Tensor window;
  private final MemorySegment stub;
  private @Nullable TensorObserver observer;
  private @Nullable Throwable failure;

  EvalHook(LlamaRuntime runtime, Arena arena) {
    window = new Tensor(runtime);
    try {
      var target =
          MethodHandles.lookup()
              .bind(
                  this,
                  "evaluated",
                  MethodType.methodType(boolean.class, long.class, boolean.class, long.class));
      stub = Linker.nativeLinker().upcallStub(target, NativeLibrary.descriptor("pbp:b"), arena);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(e);
    }
  }

  long address() {
    return stub.address();
  }

  void observer(@Nullable TensorObserver next) {
    observer = next;
  }

  @Nullable TensorObserver observer() {
    return observer;
  }

  @SuppressWarnings("unused") // called by llama.cpp
  private boolean evaluated(long tensor, boolean ask, long userData) {
    TensorObserver current = observer;
    if (current == null || failure != null || tensor == 0) {
      return !ask;
    }
    try {
      window.at(tensor);
      if (ask) {
        return current.wants(window);
      }
      current.observe(window);
    } catch (Throwable thrown) {
      failure = thrown;
      return !ask;
    }
    return true;
  }

  /** Rethrows what an observer threw during the last pass, once. */
  void rethrow() {
    Throwable thrown = failure;
    failure = null;
    if (thrown != null) {
      throw NativeLibrary.unexpected(thrown);
    }
  }

  boolean failed() {
    return failure != null;
  }
}
