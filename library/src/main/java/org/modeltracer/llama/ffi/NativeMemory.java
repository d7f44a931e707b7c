package org.modeltracer.llama.ffi;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;

/** Bounded reads of memory that native code owns. */
@SuppressWarnings("restricted")
public final class NativeMemory {
  private static final long LONGEST_TEXT = 1 << 20;

  private NativeMemory() {}

  /** {@code bytes} bytes at an address; the caller vouches for the bound and for the lifetime. */
  public static MemorySegment at(long address, long bytes) {
    return MemorySegment.ofAddress(address).reinterpret(bytes);
  }

  /** Memory at an address that lives as long as an arena. */
  public static MemorySegment at(long address, long bytes, Arena arena) {
    return MemorySegment.ofAddress(address).reinterpret(bytes, arena, null);
  }

  /** A NUL-terminated string, empty for a null pointer. */
  public static String text(long address) {
    if (address == 0) {
      return "";
    }
    MemorySegment memory = at(address, LONGEST_TEXT);
    int length = 0;
    while (length < LONGEST_TEXT && memory.get(ValueLayout.JAVA_BYTE, length) != 0) {
      length++;
    }
    byte[] bytes = memory.asSlice(0, length).toArray(ValueLayout.JAVA_BYTE);
    return new String(bytes, StandardCharsets.UTF_8);
  }
}
