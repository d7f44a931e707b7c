package org.modeltracer.llama.ffi;

import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.invoke.MethodHandle;
import org.jspecify.annotations.Nullable;

/**
 * A C function, linked when it is called first: releases lack some, and a run needs few of them.
 *
 * <p>Each way to call it fits one signature; the class that declares a function calls it in that
 * way only. An exception can come from Java alone: none passes through native code.
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

  void run() {
    try {
      handle().invokeExact();
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  void run(long a) {
    try {
      handle().invokeExact(a);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  void run(long a, boolean b) {
    try {
      handle().invokeExact(a, b);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  void run(long a, int b) {
    try {
      handle().invokeExact(a, b);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  void run(long a, long b) {
    try {
      handle().invokeExact(a, b);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  void run(long a, long b, long c) {
    try {
      handle().invokeExact(a, b, c);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  void run(long a, long b, long c, long d) {
    try {
      handle().invokeExact(a, b, c, d);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  void run(long a, int b, int c, int d, int e) {
    try {
      handle().invokeExact(a, b, c, d, e);
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

  int toInt(long a, long b, long c) {
    try {
      return (int) handle().invokeExact(a, b, c);
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

  int toInt(long a, int b, long c, int d, int e, boolean f) {
    try {
      return (int) handle().invokeExact(a, b, c, d, e, f);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  int toInt(long a, long b, int c, long d, int e, boolean f, boolean g) {
    try {
      return (int) handle().invokeExact(a, b, c, d, e, f, g);
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

  boolean toBoolean(long a, int b) {
    try {
      return (boolean) handle().invokeExact(a, b);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  boolean toBoolean(long a, long b) {
    try {
      return (boolean) handle().invokeExact(a, b);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  boolean toBoolean(long a, int b, int c, int d) {
    try {
      return (boolean) handle().invokeExact(a, b, c, d);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  long toLong() {
    try {
      return (long) handle().invokeExact();
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

  long toLong(float a) {
    try {
      return (long) handle().invokeExact(a);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  long toLong(float a, long b) {
    try {
      return (long) handle().invokeExact(a, b);
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

  long toLong(long a, boolean b) {
    try {
      return (long) handle().invokeExact(a, b);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  long toLong(long a, long b) {
    try {
      return (long) handle().invokeExact(a, b);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  long toLong(long a, long b, boolean c) {
    try {
      return (long) handle().invokeExact(a, b, c);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  long toLong(long a, int b, long c, long d) {
    try {
      return (long) handle().invokeExact(a, b, c, d);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  long toLong(MemorySegment struct) {
    try {
      return (long) handle().invokeExact(struct);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  long toLong(long a, MemorySegment struct) {
    try {
      return (long) handle().invokeExact(a, struct);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  long toLong(long a, long b, int c, long d, boolean e) {
    try {
      return (long) handle().invokeExact(a, b, c, d, e);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  long toLong(long a, long b, int c, long d, boolean e, boolean f) {
    try {
      return (long) handle().invokeExact(a, b, c, d, e, f);
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
