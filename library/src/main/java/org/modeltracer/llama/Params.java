package org.modeltracer.llama;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.function.Consumer;
import org.modeltracer.llama.ffi.NativeLibrary;

/** A parameter struct being filled: the library's defaults, and what we set by field name. */
final class Params {
  private final CStruct layout;
  private final MemorySegment memory;

  /**
   * The library's defaults, in memory that lives as long as {@code arena}.
   *
   * @param defaults writes them
   */
  Params(Arena arena, CStruct layout, Consumer<MemorySegment> defaults) {
    this.layout = layout;
    memory = arena.allocate(NativeLibrary.PARAMS_BYTES, 16);
    defaults.accept(memory);
  }

  MemorySegment memory() {
    return memory;
  }

  boolean has(String field) {
    return layout.has(field);
  }

  Params set(String field, int value) {
    memory.set(ValueLayout.JAVA_INT, layout.offset(field), value);
    return this;
  }

  Params set(String field, boolean value) {
    memory.set(ValueLayout.JAVA_BOOLEAN, layout.offset(field), value);
    return this;
  }

  Params set(String field, long pointer) {
    memory.set(ValueLayout.JAVA_LONG, layout.offset(field), pointer);
    return this;
  }
}
