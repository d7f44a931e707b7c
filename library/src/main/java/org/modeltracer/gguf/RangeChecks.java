package org.modeltracer.gguf;

import java.util.List;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;

/**
 * Numbers in metadata lie within the range of their key, and none is infinite or NaN but bounds.
 *
 * <p>ggml ends the process over an epsilon below zero; the others make every value wrong, silently.
 * Ranges are far wider than any model needs: what lies outside is damage, not a choice.
 */
final class RangeChecks {
  private static final double ANY = 1e9;

  /** Keys after the architecture that end like this, in the order in which they are tried. */
  private record Range(String ending, double least, double most) {}

  private static final List<Range> RANGES =
      List.of(
          new Range("_epsilon", 0, 1),
          new Range("rope.freq_base", 1e-3, 1e15),
          new Range("rope.freq_base_swa", 1e-3, 1e15),
          new Range("rope.scaling.factor", 0, 1e6),
          new Range("rope.scale_linear", 0, 1e6),
          new Range("rope.scaling.attn_factor", 0, 1e3),
          new Range("rope.scaling.original_context_length", 0, Integer.MAX_VALUE),
          new Range("token_type_count", 0, 1 << 16),
          new Range("attention.scale", 0, 1e6),
          new Range("attention.temperature_scale", 0, 1e6),
          new Range("attention.max_alibi_bias", 0, 1e6),
          new Range("attention.sliding_window", 0, 4_294_967_295.0),
          new Range("attention.key_length", 0, 1 << 20),
          new Range("attention.value_length", 0, 1 << 20),
          new Range("_logit_softcapping", 0, ANY),
          new Range("_bound", Double.NEGATIVE_INFINITY, Double.POSITIVE_INFINITY));

  private RangeChecks() {}

  static void run(LoadChecks checks) {
    String prefix = checks.architecture() + ".";
    for (String key : checks.metadata().keys()) {
      if (key.startsWith(prefix)) {
        look(checks, key, key.substring(prefix.length()));
      } else if (key.equals("tokenizer.ggml.scores")
          && numbers(checks, key).anyMatch(Double::isNaN)) {
        checks.report(key, "must hold no NaN");
      }
    }
  }

  private static void look(LoadChecks checks, String key, String name) {
    for (Range range : RANGES) {
      if (name.endsWith(range.ending)) {
        if (numbers(checks, key).anyMatch(v -> !(v >= range.least && v <= range.most))) {
          checks.report(key, "must be %s to %s", shown(range.least), shown(range.most));
        }
        return;
      }
    }
    if (numbers(checks, key).anyMatch(v -> !Double.isFinite(v))) {
      checks.report(key, "must be finite");
    }
  }

  private static DoubleStream numbers(LoadChecks checks, String key) {
    return switch (checks.metadata().get(key).orElse(null)) {
      case Value.Real real -> DoubleStream.of(real.value());
      case Value.Int whole -> checks.metadata().number(key).stream();
      case ArrayValue array when array.elementType().isFloat() ->
          IntStream.range(0, array.size()).mapToDouble(array::real);
      case ArrayValue array when array.elementType().isInteger() ->
          IntStream.range(0, array.size()).mapToDouble(array::integer);
      case null, default -> DoubleStream.empty();
    };
  }

  private static String shown(double value) {
    return value == Math.rint(value) && Math.abs(value) < 1e10
        ? Long.toString((long) value)
        : Double.toString(value);
  }
}
