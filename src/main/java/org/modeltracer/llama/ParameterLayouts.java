package org.modeltracer.llama;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.invoke.MethodHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/**
 * The parameter structs of the loaded library: found by fingerprint, confirmed by the table.
 *
 * @param model {@code llama_model_params}
 * @param context {@code llama_context_params}
 */
record ParameterLayouts(CStruct model, CStruct context) {

  /**
   * Recognises the library's generation.
   *
   * @throws LlamaException naming what did not match, when the layout is unknown or contradictory
   */
  static ParameterLayouts of(NativeLibrary library) {
    ByteBuffer model = defaults(library, "llama_model_default_params", 0xA5);
    int modelSize =
        Fingerprint.size(model, defaults(library, "llama_model_default_params", 0x5A));
    ByteBuffer context = defaults(library, "llama_context_default_params", 0xA5);
    Fingerprint print =
        Fingerprint.of(context, defaults(library, "llama_context_default_params", 0x5A));
    return new ParameterLayouts(
        recognise("llama_model_params", KnownLayouts.MODEL, modelSize, model),
        confirmed(
            print,
            recognise("llama_context_params", KnownLayouts.CONTEXT, print.size(), context)));
  }

  /** The known layout of that size whose every default is what the library says. */
  static CStruct recognise(String name, List<CStruct> known, int size, ByteBuffer defaults) {
    var reasons = new ArrayList<String>();
    for (CStruct candidate : known) {
      if (candidate.size() != size) {
        continue;
      }
      List<String> wrong = candidate.mismatches(defaults);
      if (wrong.isEmpty()) {
        return candidate;
      }
      reasons.add("unlike " + candidate.generation() + ", " + wrong.getFirst());
    }
    throw new LlamaException(
        LlamaException.Kind.LIBRARY,
        "unknown layout of "
            + name
            + ": "
            + size
            + " bytes; "
            + (reasons.isEmpty()
                ? "known are "
                    + String.join(
                        ", ",
                        known.stream().map(k -> k.size() + " (" + k.generation() + ")").toList())
                : String.join("; ", reasons)));
  }

  private static CStruct confirmed(Fingerprint print, CStruct context) {
    check(context, "n_threads", print.threads());
    check(context, "cb_eval", print.evalCallback());
    boolean tableHasEnum = context.field("flash_attn_type").isPresent();
    if (tableHasEnum != print.flashAttention().isPresent()) {
      throw contradiction(context, "flash_attn_type", print.flashAttention().orElse(-1));
    }
    print.flashAttention().ifPresent(offset -> check(context, "flash_attn_type", offset));
    return context;
  }

  private static void check(CStruct context, String field, int found) {
    if (context.offset(field) != found) {
      throw contradiction(context, field, found);
    }
  }

  private static LlamaException contradiction(CStruct context, String field, int found) {
    return new LlamaException(
        LlamaException.Kind.LIBRARY,
        "contradictory layout of llama_context_params: "
            + field
            + " is found at byte "
            + found
            + ", but the layout of "
            + context.generation()
            + " has it at "
            + context.field(field).map(f -> Integer.toString(f.offset())).orElse("no byte"));
  }

  private static ByteBuffer defaults(NativeLibrary library, String function, int prefill) {
    MethodHandle handle = library.function(function, ":P");
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment result = arena.allocate(NativeLibrary.PARAMS_BYTES, 16);
      result.fill((byte) prefill);
      SegmentAllocator here = (size, align) -> result;
      MemorySegment returned = (MemorySegment) handle.invokeExact(here);
      byte[] bytes = returned.toArray(java.lang.foreign.ValueLayout.JAVA_BYTE);
      return ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder());
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }
}
