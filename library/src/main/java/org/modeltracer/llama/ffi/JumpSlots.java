package org.modeltracer.llama.ffi;

import java.lang.foreign.Arena;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Slots through which a loaded library calls functions of others, pointed elsewhere.
 *
 * <p>Found as the loader finds them: from the link map that a handle of glibc's is, by the dynamic
 * section's tables of jump slots and, for code that calls without a stub or compares functions, of
 * addresses. Linux on x86-64 and arm64.
 */
@SuppressWarnings("restricted")
public final class JumpSlots {
  private static final int LAZY = 1;
  private static final int NOT_LOADED_ANEW = 4;
  private static final int READ = 1;
  private static final int READ_WRITE = 3;
  private static final long KEEP = 0;
  private static final long PAGE = 4096;
  private static final long MOST_ENTRIES = 1 << 16;

  /** Entries of the dynamic section: DT_JMPREL and DT_PLTRELSZ, DT_RELA and DT_RELASZ, … */
  private static final int STRINGS = 5;

  private static final int SYMBOLS = 6;
  private static final int RELOCATIONS = 7;
  private static final int RELOCATION_TABLE_BYTES = 8;
  private static final int JUMP_RELOCATIONS = 23;
  private static final int JUMP_RELOCATION_BYTES = 2;

  private static final int SYMBOL_BYTES = 24;
  private static final int RELOCATION_BYTES = 24;
  private static final int X86_64_JUMP_SLOT = 7;
  private static final int X86_64_ADDRESS = 6;
  private static final int AARCH64_JUMP_SLOT = 1026;
  private static final int AARCH64_ADDRESS = 1025;

  /** A slot, what it held, and what it holds now. */
  private record Slot(long address, long before, long after) {}

  private final List<Slot> slots = new ArrayList<>();

  /**
   * Points a library's slots of the named functions at others.
   *
   * @param file a library that is loaded, as the loader knows it; nothing is done for any other
   * @return how many slots there were
   */
  public int redirect(String file, Map<String, Long> functions) {
    if (Linker.nativeLinker().defaultLookup().find("dlopen").isEmpty()) {
      return 0;
    }
    try (Arena arena = Arena.ofConfined()) {
      MethodHandle open = Descriptors.system("dlopen", "pi:p");
      MethodHandle close = Descriptors.system("dlclose", "p:i");
      long name = arena.allocateFrom(file).address();
      long map = (long) open.invokeExact(name, LAZY | NOT_LOADED_ANEW);
      if (map == 0) {
        return 0;
      }
      int found = patch(map, functions);
      int ignored = (int) close.invokeExact(map);
      return found;
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  /** Whether a loaded library calls a function by a slot. */
  public static boolean has(String file, String function) {
    return new JumpSlots().redirect(file, Map.of(function, KEEP)) > 0;
  }

  private int patch(long map, Map<String, Long> functions) throws Throwable {
    MemorySegment head = NativeMemory.at(map, 24);
    long base = head.get(ValueLayout.JAVA_LONG, 0);
    MemorySegment dynamic = NativeMemory.at(head.get(ValueLayout.JAVA_LONG, 16), 16 * MOST_ENTRIES);
    long strings = 0;
    long symbols = 0;
    long relocations = 0;
    long bytes = 0;
    long jumps = 0;
    long jumpBytes = 0;
    for (long at = 0; dynamic.get(ValueLayout.JAVA_LONG, at) != 0; at += 16) {
      long value = dynamic.get(ValueLayout.JAVA_LONG, at + 8);
      switch ((int) dynamic.get(ValueLayout.JAVA_LONG, at)) {
        case STRINGS -> strings = value;
        case SYMBOLS -> symbols = value;
        case RELOCATIONS -> relocations = value;
        case RELOCATION_TABLE_BYTES -> bytes = value;
        case JUMP_RELOCATIONS -> jumps = value;
        case JUMP_RELOCATION_BYTES -> jumpBytes = value;
        default -> {}
      }
    }
    if (strings == 0 || symbols == 0) {
      return 0;
    }
    return patch(jumps, jumpBytes, base, symbols, strings, functions)
        + patch(relocations, bytes, base, symbols, strings, functions);
  }

  private int patch(
      long relocations,
      long bytes,
      long base,
      long symbols,
      long strings,
      Map<String, Long> functions)
      throws Throwable {
    if (relocations == 0) {
      return 0;
    }
    MemorySegment table = NativeMemory.at(relocations, bytes);
    int found = 0;
    for (long at = 0; at + RELOCATION_BYTES <= bytes; at += RELOCATION_BYTES) {
      long info = table.get(ValueLayout.JAVA_LONG, at + 8);
      int type = (int) info;
      boolean slot =
          switch (type) {
            case X86_64_JUMP_SLOT, X86_64_ADDRESS, AARCH64_JUMP_SLOT, AARCH64_ADDRESS -> true;
            default -> false;
          };
      if (!slot) {
        continue;
      }
      long symbol = symbols + (info >>> 32) * SYMBOL_BYTES;
      int name = NativeMemory.at(symbol, SYMBOL_BYTES).get(ValueLayout.JAVA_INT, 0);
      Long function = functions.get(NativeMemory.text(strings + Integer.toUnsignedLong(name)));
      if (function != null && function == KEEP) {
        found++;
      } else if (function != null) {
        replace(base + table.get(ValueLayout.JAVA_LONG, at), function);
        found++;
      }
    }
    return found;
  }

  private void replace(long address, long function) throws Throwable {
    long before = NativeMemory.at(address, 8).get(ValueLayout.JAVA_LONG, 0);
    if (before == 0) {
      // A function that is not there, for code that asks.
      return;
    }
    write(address, function);
    slots.add(new Slot(address, before, function));
  }

  /** Where slots are read-only once they are bound, they become so again. */
  private static void write(long address, long function) throws Throwable {
    MethodHandle protect = Descriptors.system("mprotect", "pli:i");
    boolean sealed = Mappings.readOnly(address);
    long page = address & -PAGE;
    if (sealed && (int) protect.invokeExact(page, PAGE, READ_WRITE) != 0) {
      throw new LinkException("the system does not let memory of a library be changed");
    }
    ValueLayout.JAVA_LONG.varHandle().setVolatile(NativeMemory.at(address, 8), 0L, function);
    if (sealed) {
      int ignored = (int) protect.invokeExact(page, PAGE, READ);
    }
  }

  /** Puts back what was there; slots that others have pointed elsewhere since stay as they are. */
  public void undo() {
    for (Slot slot : slots) {
      try {
        if (NativeMemory.at(slot.address, 8).get(ValueLayout.JAVA_LONG, 0) == slot.after) {
          write(slot.address, slot.before);
        }
      } catch (Throwable failure) {
        throw NativeLibrary.unexpected(failure);
      }
    }
    slots.clear();
  }
}
