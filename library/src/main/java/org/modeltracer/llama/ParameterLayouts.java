package org.modeltracer.llama;

import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.modeltracer.llama.ffi.LlamaFunctions;

/**
 * The parameter structs of the loaded library: found by fingerprint, confirmed by the table.
 *
 * @param model {@code llama_model_params}
 * @param context {@code llama_context_params}
 */
record ParameterLayouts(CStruct model, CStruct context) {
  /** Differences listed in an error: the first few are enough to see which field moved. */
  private static final int TOLD = 3;

  /**
   * Recognises the library's generation.
   *
   * @throws LlamaException naming what did not match, when the layout is unknown or contradictory
   */
  static ParameterLayouts of(LlamaFunctions llama) {
    Defaults context = Defaults.of("llama_context_params", llama::contextDefaults);
    return new ParameterLayouts(
        recognise(KnownLayouts.MODEL, Defaults.of("llama_model_params", llama::modelDefaults)),
        confirmed(Fingerprint.of(context), recognise(KnownLayouts.CONTEXT, context)));
  }

  /**
   * The newest known layout that has the defaults' size and expects every one of them.
   *
   * @param known oldest first
   */
  static CStruct recognise(List<CStruct> known, Defaults defaults) {
    List<CStruct> sameSize = known.stream().filter(k -> k.size() == defaults.size()).toList();
    List<CStruct> matching =
        sameSize.stream().filter(k -> k.mismatches(defaults).isEmpty()).toList();
    if (matching.isEmpty()) {
      throw unknown(defaults, sameSize.isEmpty() ? sizes(known) : closest(sameSize, defaults));
    }
    CStruct newest = matching.getLast();
    for (CStruct other : matching) {
      // A field more, in what is padding for the other, does no harm; one elsewhere would.
      if (!newest.contains(other)) {
        throw unknown(
            defaults,
            "its defaults fit both "
                + other.generation()
                + " and "
                + newest.generation()
                + ", which differ");
      }
    }
    return newest;
  }

  private static String sizes(List<CStruct> known) {
    return known.stream()
        .collect(Collectors.groupingBy(CStruct::size, TreeMap::new, Collectors.toList()))
        .entrySet()
        .stream()
        .map(e -> e.getKey() + " (" + span(e.getValue()) + ")")
        .collect(Collectors.joining(", ", "known are ", ""));
  }

  private static String span(List<CStruct> layouts) {
    String first = layouts.getFirst().since();
    String last = layouts.getLast().until();
    return first.equals(last) ? first : first + " to " + last;
  }

  private static String closest(List<CStruct> candidates, Defaults defaults) {
    CStruct best =
        Collections.min(candidates, Comparator.comparingInt(c -> c.mismatches(defaults).size()));
    return best.mismatches(defaults).stream()
        .limit(TOLD)
        .collect(Collectors.joining(", ", "unlike " + best.generation() + ", ", ""));
  }

  private static LlamaException unknown(Defaults defaults, String why) {
    return new LlamaException(
        LlamaException.Kind.LIBRARY,
        "unknown layout of " + defaults.struct() + ": " + defaults.size() + " bytes; " + why);
  }

  /** The table's layout, once the fingerprint has found the same offsets without it. */
  static CStruct confirmed(Fingerprint print, CStruct context) {
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
            + " is found at "
            + (found < 0 ? "no byte" : "byte " + found)
            + ", but the layout of "
            + context.generation()
            + " has it at "
            + context.field(field).map(f -> "byte " + f.offset()).orElse("no byte"));
  }
}
