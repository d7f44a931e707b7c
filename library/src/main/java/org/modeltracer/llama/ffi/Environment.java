package org.modeltracer.llama.ffi;

import java.lang.foreign.Arena;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.Optional;

/** The process environment as native code sees it, which Java cannot change by itself. */
@SuppressWarnings("restricted")
final class Environment {
  private Environment() {}

  /** Sets a variable for native code, unless the user has set it already. */
  static void set(String name, String value) {
    if (System.getenv(name) != null) {
      return;
    }
    Linker linker = Linker.nativeLinker();
    Optional<MemorySegment> posix = linker.defaultLookup().find("setenv");
    Optional<MemorySegment> windows = linker.defaultLookup().find("_putenv_s");
    try (Arena arena = Arena.ofConfined()) {
      long n = arena.allocateFrom(name).address();
      long v = arena.allocateFrom(value).address();
      if (posix.isPresent()) {
        MethodHandle set = linker.downcallHandle(posix.get(), NativeLibrary.descriptor("ppi:i"));
        int ignored = (int) set.invokeExact(n, v, 0);
      } else if (windows.isPresent()) {
        MethodHandle set = linker.downcallHandle(windows.get(), NativeLibrary.descriptor("pp:i"));
        int ignored = (int) set.invokeExact(n, v);
      }
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }
}
