package org.modeltracer.llama.ffi;

import java.lang.foreign.Arena;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/** Descriptors of open files, which Java keeps to itself. */
@SuppressWarnings("restricted")
public final class Descriptors {
  private static final int STANDARD_ERROR = 2;

  private static final int REMOVE = 9;
  private static final int CLOSE_ON_EXEC = 1;
  private static final int ALLOW_SEALING = 2;
  private static final int ADD_SEALS = 1033;

  /** No seal can be added, the size can neither shrink nor grow. */
  private static final int SEALED_SIZE = 1 | 2 | 4;

  private Descriptors() {}

  /** A function of the system's own. */
  static MethodHandle system(String name, String signature, Linker.Option... options) {
    Linker linker = Linker.nativeLinker();
    return linker.downcallHandle(
        linker.defaultLookup().findOrThrow(name), NativeLibrary.descriptor(signature), options);
  }

  /**
   * A file in memory that has a name nowhere, of a size that nobody can change any more.
   *
   * @return its descriptor, or -1 where the system has no such files
   */
  public static int memoryFile(String label, long bytes) {
    if (Linker.nativeLinker().defaultLookup().find("memfd_create").isEmpty()) {
      return -1;
    }
    try (Arena arena = Arena.ofConfined()) {
      MethodHandle create = system("memfd_create", "pi:i");
      MethodHandle size = system("ftruncate", "il:i");
      MethodHandle control = system("fcntl", "iii:i", Linker.Option.firstVariadicArg(2));
      MethodHandle close = system("close", "i:i");
      long name = arena.allocateFrom(label).address();
      int file = (int) create.invokeExact(name, CLOSE_ON_EXEC | ALLOW_SEALING);
      if (file >= 0
          && ((int) size.invokeExact(file, bytes) != 0
              || (int) control.invokeExact(file, ADD_SEALS, SEALED_SIZE) != 0)) {
        int ignored = (int) close.invokeExact(file);
        return -1;
      }
      return file;
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  /** Frees the pages of a mapped file in memory, which reads as zeros from then on. */
  public static void discard(MemorySegment mapped) {
    try {
      MethodHandle advise = system("madvise", "pli:i");
      int ignored = (int) advise.invokeExact(mapped.address(), mapped.byteSize(), REMOVE);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  /** Closes a descriptor. */
  public static void close(int descriptor) {
    try {
      MethodHandle close = system("close", "i:i");
      int ignored = (int) close.invokeExact(descriptor);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  /** Makes a descriptor the standard error, and closes it. */
  public static void becomeStandardError(int descriptor) {
    try {
      MethodHandle duplicate = system("dup2", "ii:i");
      MethodHandle close = system("close", "i:i");
      int ignored = (int) duplicate.invokeExact(descriptor, STANDARD_ERROR);
      ignored = (int) close.invokeExact(descriptor);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }
}
