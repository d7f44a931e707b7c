package org.modeltracer.testing;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.IntConsumer;
import org.modeltracer.gguf.GgmlType;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.TensorInfo;

/**
 * A model whose values are finite and far within F16 on a CPU, and whose sums of 32 activations
 * leave F16 on backends that keep them there.
 *
 * <p>The first 32 numbers of every token's embedding are alike, and the norm before the attention
 * of layer 1 makes them larger, each of them far within F16. No weight there reads them: the first
 * block of each row has the scale and the minimum 0. On a CPU that is 0; where the sum of the block
 * is infinite, 0 times infinity is NaN. With Q4_K, where 256 activations share a scale on a CPU,
 * the others round to 0 beside such large ones: finite, but the layer attends to nothing.
 */
public final class OverflowingSums {
  /** The weights whose products overflow. */
  public static final List<String> WEIGHTS =
      List.of("blk.1.attn_q.weight", "blk.1.attn_k.weight", "blk.1.attn_v.weight");

  private static final int BLOCK = 32;
  private static final short ONE = Float.floatToFloat16(1);
  private static final short SMALL = Float.floatToFloat16(0.00390625f);

  private OverflowingSums() {}

  /**
   * Writes the model.
   *
   * @param model name of the healthy model, whose weights are Q4_0 or Q4_K
   * @param size what the norm multiplies the 32 numbers with; 4000 makes their sums overflow
   */
  public static Path write(String model, float size, Path target) {
    Path healthy = Path.of("models", model);
    try {
      ByteBuffer bytes =
          ByteBuffer.wrap(Files.readAllBytes(healthy)).order(ByteOrder.LITTLE_ENDIAN);
      GgufFile file = GgufFile.read(healthy);
      int norm = Math.toIntExact(file.tensor("blk.1.attn_norm.weight").orElseThrow().offset());
      for (int i = 0; i < BLOCK; i++) {
        bytes.putFloat(norm + 4 * i, size);
      }
      TensorInfo embedding = file.tensor("token_embd.weight").orElseThrow();
      rows(embedding, row -> alike(embedding.type(), bytes, row));
      for (String name : WEIGHTS) {
        TensorInfo weight = file.tensor(name).orElseThrow();
        rows(weight, row -> zero(weight.type(), bytes, row));
      }
      return Files.write(target, bytes.array());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void rows(TensorInfo tensor, IntConsumer atRow) {
    int row = Math.toIntExact(tensor.bytes() / tensor.dimension(1));
    for (int i = 0; i < tensor.dimension(1); i++) {
      atRow.accept(Math.toIntExact(tensor.offset()) + i * row);
    }
  }

  /** Makes the first 32 numbers of a row as large as the format lets them be, and alike. */
  private static void alike(GgmlType type, ByteBuffer bytes, int row) {
    switch (type) {
      case Q4_0 -> {
        bytes.putShort(row, ONE);
        fill(bytes, row + 2, BLOCK / 2, 0xff, 0);
      }
      case Q6_K -> {
        // Low bits of 256, high bits of 256, 16 scales, and one more for all: layer 0 adds
        // little to numbers so large.
        fill(bytes, row, BLOCK, 0x0f, 0xf0);
        fill(bytes, row + 128, BLOCK, 0x03, 0xfc);
        fill(bytes, row + 192, BLOCK / 16, 127, 0);
        bytes.putShort(row + 208, SMALL);
      }
      default -> throw new IllegalArgumentException("no such embeddings here: " + type);
    }
  }

  /** Makes the first 32 numbers of a row 0, by their scale and their minimum. */
  private static void zero(GgmlType type, ByteBuffer bytes, int row) {
    switch (type) {
      case Q4_0 -> bytes.putShort(row, (short) 0);
      case Q4_K -> {
        // After two scales of 256: six bits of the scale of the first 32, and of their minimum.
        fill(bytes, row + 4, 1, 0, 0xc0);
        fill(bytes, row + 8, 1, 0, 0xc0);
      }
      default -> throw new IllegalArgumentException("no such weights here: " + type);
    }
  }

  /** Sets bits of some bytes, and keeps those of a mask. */
  private static void fill(ByteBuffer bytes, int from, int count, int set, int kept) {
    for (int at = from; at < from + count; at++) {
      bytes.put(at, (byte) (bytes.get(at) & kept | set));
    }
  }
}
