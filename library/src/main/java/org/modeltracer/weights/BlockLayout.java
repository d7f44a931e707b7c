package org.modeltracer.weights;

import static java.util.Map.entry;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.modeltracer.gguf.GgmlType;
import org.modeltracer.model.BlockPart;

/**
 * Where ggml's quantized types keep the numbers that a whole block shares.
 *
 * <p>Offsets as in ggml's {@code ggml-common.h}. A bad value of a quantized weight is always such a
 * number: the codes themselves are small integers.
 */
final class BlockLayout {
  private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;

  /** An F16 number at a byte of the block. */
  private record Field(BlockPart part, int offset) {}

  private static final Map<GgmlType, List<Field>> FIELDS =
      Map.ofEntries(
          entry(GgmlType.Q4_0, scale(0)),
          entry(GgmlType.Q4_1, scaleAndMinimum(0)),
          entry(GgmlType.Q5_0, scale(0)),
          entry(GgmlType.Q5_1, scaleAndMinimum(0)),
          entry(GgmlType.Q8_0, scale(0)),
          entry(GgmlType.Q1_0, scale(0)),
          entry(GgmlType.Q2_0, scale(0)),
          entry(GgmlType.Q2_K, scaleAndMinimum(80)),
          entry(GgmlType.Q3_K, scale(108)),
          entry(GgmlType.Q4_K, scaleAndMinimum(0)),
          entry(GgmlType.Q5_K, scaleAndMinimum(0)),
          entry(GgmlType.Q6_K, scale(208)),
          entry(GgmlType.IQ1_S, scale(0)),
          entry(GgmlType.IQ2_XXS, scale(0)),
          entry(GgmlType.IQ2_XS, scale(0)),
          entry(GgmlType.IQ2_S, scale(0)),
          entry(GgmlType.IQ3_XXS, scale(0)),
          entry(GgmlType.IQ3_S, scale(0)),
          entry(GgmlType.IQ4_NL, scale(0)),
          entry(GgmlType.IQ4_XS, scale(0)),
          entry(GgmlType.TQ1_0, scale(52)),
          entry(GgmlType.TQ2_0, scale(64)));

  private BlockLayout() {}

  private static List<Field> scale(int offset) {
    return List.of(new Field(BlockPart.SCALE, offset));
  }

  private static List<Field> scaleAndMinimum(int offset) {
    return List.of(new Field(BlockPart.SCALE, offset), new Field(BlockPart.MINIMUM, offset + 2));
  }

  /**
   * Which part of a block that decodes to something not finite is to blame.
   *
   * @param block the bytes of one block
   * @return the part; null when no F16 number of the block is bad, or when the type is not
   *     quantized
   */
  static @Nullable BlockPart badPart(GgmlType type, MemorySegment block) {
    if (!type.quantized()) {
      return null;
    }
    return switch (type) {
      // Shared numbers of other kinds: an exponent, or an F16 spread over four words. There is
      // nothing but scales in these blocks.
      case MXFP4, NVFP4, IQ1_M, Q8_K -> BlockPart.SCALE;
      default ->
          FIELDS.getOrDefault(type, List.of()).stream()
              .filter(f -> !Float.isFinite(half(block, f.offset())))
              .map(Field::part)
              .findFirst()
              .orElse(null);
    };
  }

  private static float half(MemorySegment block, int offset) {
    return Float.float16ToFloat(block.get(SHORT, offset));
  }
}
