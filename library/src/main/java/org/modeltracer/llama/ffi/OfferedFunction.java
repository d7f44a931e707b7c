package org.modeltracer.llama.ffi;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.util.function.LongConsumer;

/**
 * A function that a backend offers by name, known by its address only; whoever asked for it knows
 * its signature.
 *
 * @param address 0 when it is not offered
 */
public record OfferedFunction(long address) {
  /** Whether it is there. */
  public boolean exists() {
    return address != 0;
  }

  /**
   * A function of the same library that it exports without offering it; one that does not exist
   * where there is none, and where the system does not tell what libraries are loaded (not Linux).
   */
  @SuppressWarnings("restricted")
  public OfferedFunction neighbour(String name) {
    try {
      return Mappings.file(address)
          .flatMap(file -> SymbolLookup.libraryLookup(file, Arena.global()).find(name))
          .map(symbol -> new OfferedFunction(symbol.address()))
          .orElse(new OfferedFunction(0));
    } catch (IllegalArgumentException notLoadable) {
      return new OfferedFunction(0);
    }
  }

  /** Calls {@code void *f(const char *)}, such as one that adds an RPC server. */
  public long ofText(String text) {
    MethodHandle handle = NativeLibrary.link(address, "p:p");
    try (var arena = Arena.ofConfined()) {
      return (long) handle.invokeExact(arena.allocateFrom(text).address());
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  /** Calls {@code void *f(void *)}, such as one that makes a pool of threads. */
  public long ofStruct(MemorySegment struct) {
    MethodHandle handle = NativeLibrary.link(address, "p:p");
    try {
      return (long) handle.invokeExact(struct.address());
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  /** Calls {@code void f(void *)}, such as one that frees. */
  public void run(long pointer) {
    MethodHandle handle = NativeLibrary.link(address, "p:v");
    try {
      handle.invokeExact(pointer);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  /** As {@code void f(void *)}, to be called often. */
  public LongConsumer repeated() {
    MethodHandle handle = NativeLibrary.link(address, "p:v");
    return pointer -> {
      try {
        handle.invokeExact(pointer);
      } catch (Throwable failure) {
        throw NativeLibrary.unexpected(failure);
      }
    };
  }

  /** Calls {@code void f(void *, int)}, such as one that sets a number of threads. */
  public void run(long pointer, int number) {
    MethodHandle handle = NativeLibrary.link(address, "pi:v");
    try {
      handle.invokeExact(pointer, number);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  /** As {@code ggml_to_float_t}: {@code void f(const void *, float *, int64_t)}. */
  public Dequantization dequantization() {
    MethodHandle handle = NativeLibrary.link(address, "ppl:v");
    return (source, target, n) -> {
      try {
        handle.invokeExact(source, target, n);
      } catch (Throwable failure) {
        throw NativeLibrary.unexpected(failure);
      }
    };
  }

  /** Turns elements of a type into float32. */
  public interface Dequantization {
    /** Converts {@code n} elements from one address to another. */
    void convert(long source, long target, long n);
  }
}
