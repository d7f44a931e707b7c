package org.modeltracer.gguf;

import java.util.Locale;
import java.util.Optional;

/**
 * The element types of ggml tensors, with the block geometry of the quantized ones.
 *
 * <p>Ids and sizes as in ggml's table of type traits; ids of removed types are absent.
 */
public enum GgmlType {
  F32(0, 1, 4),
  F16(1, 1, 2),
  Q4_0(2, 32, 18),
  Q4_1(3, 32, 20),
  Q5_0(6, 32, 22),
  Q5_1(7, 32, 24),
  Q8_0(8, 32, 34),
  Q8_1(9, 32, 36),
  Q2_K(10, 256, 84),
  Q3_K(11, 256, 110),
  Q4_K(12, 256, 144),
  Q5_K(13, 256, 176),
  Q6_K(14, 256, 210),
  Q8_K(15, 256, 292),
  IQ2_XXS(16, 256, 66),
  IQ2_XS(17, 256, 74),
  IQ3_XXS(18, 256, 98),
  IQ1_S(19, 256, 50),
  IQ4_NL(20, 32, 18),
  IQ3_S(21, 256, 110),
  IQ2_S(22, 256, 82),
  IQ4_XS(23, 256, 136),
  I8(24, 1, 1),
  I16(25, 1, 2),
  I32(26, 1, 4),
  I64(27, 1, 8),
  F64(28, 1, 8),
  IQ1_M(29, 256, 56),
  BF16(30, 1, 2),
  TQ1_0(34, 256, 54),
  TQ2_0(35, 256, 66),
  MXFP4(39, 32, 17),
  NVFP4(40, 64, 36),
  Q1_0(41, 128, 18),
  Q2_0(42, 64, 18);

  private static final GgmlType[] BY_ID = new GgmlType[43];

  static {
    for (GgmlType type : values()) {
      BY_ID[type.id] = type;
    }
  }

  private final int id;
  private final int blockSize;
  private final int blockBytes;

  GgmlType(int id, int blockSize, int blockBytes) {
    this.id = id;
    this.blockSize = blockSize;
    this.blockBytes = blockBytes;
  }

  /** The type of an id found in a file or in a native tensor, if it is known. */
  public static Optional<GgmlType> ofId(int id) {
    return id >= 0 && id < BY_ID.length ? Optional.ofNullable(BY_ID[id]) : Optional.empty();
  }

  /** ggml's number of this type. */
  public int id() {
    return id;
  }

  /** ggml's name of this type, such as {@code q4_K} or {@code f32}. */
  public String ggmlName() {
    String lower = name().toLowerCase(Locale.ROOT);
    return lower.endsWith("_k") ? lower.substring(0, lower.length() - 1) + "K" : lower;
  }

  /** Elements of one block; 1 when the type is not quantized. */
  public int blockSize() {
    return blockSize;
  }

  /** Bytes of one block. */
  public int blockBytes() {
    return blockBytes;
  }

  /** Whether elements share scales in blocks. */
  public boolean quantized() {
    return blockSize > 1;
  }

  /** Whether elements are whole numbers, as in tables of indices. */
  public boolean integer() {
    return switch (this) {
      case I8, I16, I32, I64 -> true;
      default -> false;
    };
  }

  /**
   * Bytes of so many elements.
   *
   * @throws ArithmeticException if the number of bytes does not fit in 63 bits
   */
  public long bytes(long elements) {
    return Math.multiplyExact(elements / blockSize, (long) blockBytes);
  }

  @Override
  public String toString() {
    return ggmlName();
  }
}
