package org.modeltracer.llama.ffi;

import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.invoke.MethodHandle;
import org.jspecify.annotations.Nullable;

/**
 * A C function, linked when it is called first: releases lack some, and a run needs few of them.
 *
 * <p>The class that declares a function calls it with arguments of its signature only. An exception
 * can come from Java alone: none passes through native code.
 */
final class CFunction {
  private final NativeLibrary library;
  private final String name;
  private final String signature;
  private final Linker.Option[] options;
  private @Nullable MethodHandle linked;

  CFunction(NativeLibrary library, String name, String signature, Linker.Option... options) {
    this.library = library;
    this.name = name;
    this.signature = signature;
    this.options = options;
  }

  /** Whether the library has it. */
  boolean exists() {
    return library.has(name);
  }

  private MethodHandle handle() {
    MethodHandle known = linked;
    if (known == null) {
      known = library.link(name, signature, options);
      linked = known;
    }
    return known;
  }

  /** Calls a function that need not be fast: arguments and result travel in boxes. */
  private Object call(Object... arguments) {
    try {
      return handle().invokeWithArguments(arguments);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  void run(Object... arguments) {
    call(arguments);
  }

  int toInt(Object... arguments) {
    return (int) call(arguments);
  }

  boolean toBoolean(Object... arguments) {
    return (boolean) call(arguments);
  }

  long toLong(Object... arguments) {
    return (long) call(arguments);
  }

  // Signatures that are called for every token or node, without boxes.

  void run(long a, long b, long c, long d) {
    try {
      handle().invokeExact(a, b, c, d);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  int toInt(long a) {
    try {
      return (int) handle().invokeExact(a);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  int toInt(long a, int b) {
    try {
      return (int) handle().invokeExact(a, b);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  int toInt(long a, long b) {
    try {
      return (int) handle().invokeExact(a, b);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  int toInt(long a, long b, int c) {
    try {
      return (int) handle().invokeExact(a, b, c);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  int toInt(long a, int b, long c, int d, int e, boolean f) {
    try {
      return (int) handle().invokeExact(a, b, c, d, e, f);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  int toInt(long a, MemorySegment struct) {
    try {
      return (int) handle().invokeExact(a, struct);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  boolean toBoolean(long a) {
    try {
      return (boolean) handle().invokeExact(a);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  boolean toBoolean(int a) {
    try {
      return (boolean) handle().invokeExact(a);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  boolean toBoolean(long a, int b) {
    try {
      return (boolean) handle().invokeExact(a, b);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  long toLong(long a) {
    try {
      return (long) handle().invokeExact(a);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  long toLong(int a) {
    try {
      return (long) handle().invokeExact(a);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  long toLong(long a, int b) {
    try {
      return (long) handle().invokeExact(a, b);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  /** Lets a function that returns a struct by value write it into memory of the caller's. */
  void into(MemorySegment memory) {
    try {
      MemorySegment ignored =
          (MemorySegment) handle().invokeExact((SegmentAllocator) (size, align) -> memory);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }
}
