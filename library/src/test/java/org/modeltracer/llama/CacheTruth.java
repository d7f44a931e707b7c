package org.modeltracer.llama;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import org.modeltracer.llama.ffi.Linked;
import org.modeltracer.llama.ffi.NativeLibrary;

/** What llama.cpp itself says of its cache's cells, in the state it would save of a sequence. */
public final class CacheTruth {
  private CacheTruth() {}

  /** Whether this build can tell. */
  public static boolean isTold(LlamaContext context) {
    return context.model().runtime().library().has("llama_state_seq_get_data_ext");
  }

  /**
   * Positions of a sequence in the order of their cells, for each cache: that of all layers, or the
   * larger one before the one for windows, of which only cells still in the window are told.
   */
  public static List<List<Integer>> positions(LlamaContext context, int sequence) {
    return context.call(
        () -> {
          try (Arena arena = Arena.ofConfined()) {
            return parse(
                ByteBuffer.wrap(state(context, sequence, arena)).order(ByteOrder.nativeOrder()));
          } catch (Throwable failure) {
            throw NativeLibrary.unexpected(failure);
          }
        });
  }

  private static byte[] state(LlamaContext context, int sequence, Arena arena) throws Throwable {
    NativeLibrary library = context.model().runtime().library();
    var sizeOf = Linked.function(library, "llama_state_seq_get_size", "pi:l");
    var dataOf = Linked.function(library, "llama_state_seq_get_data", "ppli:l");
    long size = (long) sizeOf.invokeExact(context.address(), sequence);
    MemorySegment data = arena.allocate(size, 8);
    long written = (long) dataOf.invokeExact(context.address(), data.address(), size, sequence);
    return data.asSlice(0, written).toArray(ValueLayout.JAVA_BYTE);
  }

  /**
   * After a magic number and the sequence, for each cache: streams, and for each the cells with
   * position and sequences, then the keys and the values of each layer.
   */
  private static List<List<Integer>> parse(ByteBuffer state) {
    var caches = new ArrayList<List<Integer>>();
    state.position(8);
    while (state.hasRemaining()) {
      var positions = new ArrayList<Integer>();
      for (int streams = state.getInt(); streams > 0; streams--) {
        int cells = state.getInt();
        for (int i = 0; i < cells; i++) {
          positions.add(state.getInt());
          skip(state, 4L * state.getInt());
        }
        if (cells > 0) {
          skipContents(state, cells);
        }
      }
      caches.add(positions);
    }
    return caches;
  }

  private static void skipContents(ByteBuffer state, int cells) {
    boolean transposed = state.getInt() != 0;
    int layers = state.getInt();
    for (int part = 0; part < 2 * layers; part++) {
      skip(state, 4);
      if (part >= layers && transposed) {
        long element = state.getInt();
        skip(state, element * state.getInt() * cells);
      } else {
        skip(state, state.getLong() * cells);
      }
    }
  }

  private static void skip(ByteBuffer state, long bytes) {
    state.position(Math.toIntExact(state.position() + bytes));
  }

  /**
   * Smallest position of a sequence in the cache for windows, else in the only one; -1 for none.
   */
  public static int firstPosition(LlamaContext context, int sequence) {
    NativeLibrary library = context.model().runtime().library();
    return context.call(
        () -> {
          try {
            var memory = Linked.function(library, "llama_get_memory", "p:p");
            long handle = (long) memory.invokeExact(context.address());
            return (int)
                Linked.function(library, "llama_memory_seq_pos_min", "pi:i")
                    .invokeExact(handle, sequence);
          } catch (Throwable failure) {
            throw NativeLibrary.unexpected(failure);
          }
        });
  }

  /** Cells in use, where only old builds tell. */
  public static int usedCells(LlamaContext context) {
    var used =
        Linked.function(context.model().runtime().library(), "llama_kv_self_used_cells", "p:i");
    return context.call(
        () -> {
          try {
            return (int) used.invokeExact(context.address());
          } catch (Throwable failure) {
            throw NativeLibrary.unexpected(failure);
          }
        });
  }
}
