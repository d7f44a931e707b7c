package org.modeltracer.llama;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.Collection;
import java.util.List;
import java.util.TreeSet;
import org.modeltracer.llama.ffi.NativeLibrary;

/**
 * A callback in C that has llama.cpp compute named nodes on their own and looks at none of them.
 *
 * <p>It is what a tracer in any language pays at least, to measure ours by. Its memory must outlive
 * the contexts that have it.
 */
public final class SilentCallback implements AutoCloseable {
  private static final String FUNCTION = "modeltracer_silent";
  private static final int COUNT = 8;
  private static final int DELIVERED = 16;
  private static final int NAMES = 24;

  private final Arena arena = Arena.ofShared();
  private final MemorySegment data;
  private final long function;

  /**
   * A callback for nodes of these names.
   *
   * @throws LlamaException where the build had no C compiler
   */
  public SilentCallback(Collection<String> names) {
    function = NativeLibrary.load(AgentFiles.silent()).address(FUNCTION);
    List<byte[]> sorted =
        new TreeSet<>(names).stream().map(name -> name.getBytes(StandardCharsets.UTF_8)).toList();
    data = arena.allocate(NAMES + (long) Tensor.NAME_BYTES * sorted.size(), 8);
    data.set(ValueLayout.JAVA_LONG, 0, Tensor.NAME);
    data.set(ValueLayout.JAVA_LONG, COUNT, sorted.size());
    long at = NAMES;
    for (byte[] name : sorted) {
      int length = Math.min(name.length, Tensor.NAME_BYTES - 1);
      MemorySegment.copy(name, 0, data, ValueLayout.JAVA_BYTE, at, length);
      at += Tensor.NAME_BYTES;
    }
  }

  /** Whether the build had a C compiler. */
  public static boolean isBuilt() {
    try {
      return Files.isReadable(AgentFiles.silent());
    } catch (LlamaException e) {
      return false;
    }
  }

  long function() {
    return function;
  }

  long data() {
    return data.address();
  }

  /** Nodes that llama.cpp has shown so far. */
  public long delivered() {
    return data.get(ValueLayout.JAVA_LONG, DELIVERED);
  }

  @Override
  public void close() {
    arena.close();
  }
}
