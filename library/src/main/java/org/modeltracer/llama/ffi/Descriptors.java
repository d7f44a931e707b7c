package org.modeltracer.llama.ffi;

import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;

/** Descriptors of open files, which Java keeps to itself. */
@SuppressWarnings("restricted")
public final class Descriptors {
  private static final int STANDARD_ERROR = 2;

  private Descriptors() {}

  /** Makes a descriptor the standard error, and closes it. */
  public static void becomeStandardError(int descriptor) {
    Linker linker = Linker.nativeLinker();
    SymbolLookup system = linker.defaultLookup();
    try {
      MethodHandle duplicate =
          linker.downcallHandle(system.findOrThrow("dup2"), NativeLibrary.descriptor("ii:i"));
      MethodHandle close =
          linker.downcallHandle(system.findOrThrow("close"), NativeLibrary.descriptor("i:i"));
      int ignored = (int) duplicate.invokeExact(descriptor, STANDARD_ERROR);
      ignored = (int) close.invokeExact(descriptor);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }
}
