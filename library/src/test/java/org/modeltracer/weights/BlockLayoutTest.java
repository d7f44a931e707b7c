package org.modeltracer.weights;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.gguf.GgmlType;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.TensorType;
import org.modeltracer.model.BlockPart;

/** The table of block layouts against ggml's own conversion. */
class BlockLayoutTest {
  private static final LlamaRuntime RUNTIME = LlamaRuntime.load();
  private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;

  /** Types whose scales are not F16 numbers in one piece, and always to blame. */
  private static final Set<GgmlType> OTHER_SCALES =
      EnumSet.of(GgmlType.MXFP4, GgmlType.NVFP4, GgmlType.IQ1_M, GgmlType.Q8_K);

  private static final short NAN = 0x7e00;
  private static final short ONE = 0x3c00;

  static Stream<GgmlType> decodable() {
    return Arrays.stream(GgmlType.values())
        .filter(GgmlType::quantized)
        .filter(t -> RUNTIME.type(t.id()).toFloat() != null);
  }

  /**
   * Whatever bytes a block has: it decodes to something that is not finite when, and only when, one
   * of its parts is said to be bad.
   */
  @ParameterizedTest
  @MethodSource("decodable")
  void saysBadExactlyWhenGgmlDecodesToSomethingBad(GgmlType type) {
    var random = new Random(type.id());
    int bad = 0;
    for (int round = 0; round < 400; round++) {
      byte[] bytes = new byte[type.blockBytes()];
      random.nextBytes(bytes);
      if (round % 2 == 0) {
        int at = 2 * random.nextInt(bytes.length / 2);
        bytes[at] = 0;
        bytes[at + 1] = 0x7e;
      }
      boolean finite = finite(type, bytes);
      if (!finite) {
        bad++;
        assertThat(part(type, bytes)).as(Arrays.toString(bytes)).isNotNull();
      } else if (!OTHER_SCALES.contains(type)) {
        assertThat(part(type, bytes)).as(Arrays.toString(bytes)).isNull();
      }
    }
    if (!OTHER_SCALES.contains(type)) {
      assertThat(bad).isPositive();
    }
  }

  /** Types with a minimum: a block of zero codes is its minimum, whatever the scale. */
  @ParameterizedTest
  @EnumSource(names = {"Q4_1", "Q5_1", "Q2_K", "Q4_K", "Q5_K"})
  void tellsTheMinimumFromTheScale(GgmlType type) {
    int scale = type == GgmlType.Q2_K ? 80 : 0;
    byte[] block = new byte[type.blockBytes()];
    Arrays.fill(block, (byte) 0);
    set(block, scale, ONE);
    set(block, scale + 2, NAN);
    assertThat(part(type, block)).isEqualTo(BlockPart.MINIMUM);
    set(block, scale, NAN);
    set(block, scale + 2, ONE);
    assertThat(part(type, block)).isEqualTo(BlockPart.SCALE);
    set(block, scale, ONE);
    assertThat(part(type, block)).isNull();
    assertThat(finite(type, block)).isTrue();
  }

  @Test
  void everyQuantizedTypeThatGgmlDecodesIsKnown() {
    assertThat(decodable()).hasSizeGreaterThan(20);
    Map<Boolean, Long> known =
        decodable()
            .collect(
                Collectors.partitioningBy(
                    t -> BlockLayout.badPart(t, bytes(allOnes(t))) != null, Collectors.counting()));
    assertThat(known.get(false)).isZero();
  }

  private static byte[] allOnes(GgmlType type) {
    byte[] block = new byte[type.blockBytes()];
    Arrays.fill(block, (byte) 0xff);
    return block;
  }

  private static void set(byte[] block, int offset, short value) {
    MemorySegment.ofArray(block).set(SHORT, offset, value);
  }

  private static MemorySegment bytes(byte[] block) {
    return MemorySegment.ofArray(block);
  }

  private static BlockPart part(GgmlType type, byte[] block) {
    return BlockLayout.badPart(type, bytes(block));
  }

  private static boolean finite(GgmlType type, byte[] block) {
    TensorType ggml = RUNTIME.type(type.id());
    assertThat(ggml.blockSize()).isEqualTo(type.blockSize());
    assertThat(ggml.blockBytes()).isEqualTo(type.blockBytes());
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment source = arena.allocate(block.length, 64);
      MemorySegment.copy(block, 0, source, ValueLayout.JAVA_BYTE, 0, block.length);
      MemorySegment floats = arena.allocate(4L * type.blockSize(), 64);
      ggml.toFloat(source, floats, type.blockSize());
      for (int i = 0; i < type.blockSize(); i++) {
        if (!Float.isFinite(floats.getAtIndex(ValueLayout.JAVA_FLOAT, i))) {
          return false;
        }
      }
      return true;
    }
  }
}
