package org.modeltracer.testing;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.TensorInfo;

/**
 * A model that is clean on a CPU, and whose sums of 32 activations leave F16 on backends that keep
 * them there.
 *
 * <p>The first 32 numbers of every token's embedding are alike, and the norm before the attention
 * of layer 1 makes them larger, each of them far within F16. No weight there reads them: the first
 * block of each row has the scale 0. On a CPU that is 0; where the sum of the block is infinite, 0
 * times infinity is NaN.
 */
public final class OverflowingSums {
  /** The weights whose products overflow. */
  public static final List<String> WEIGHTS =
      List.of("blk.1.attn_q.weight", "blk.1.attn_k.weight", "blk.1.attn_v.weight");

  private static final Path MODEL = Path.of("models", "tinyllama-mha-Q4_0.gguf");
  private static final int BLOCK = 32;

  /** With it 15, the largest number of a block, is 7. */
  private static final short ALIKE = Float.floatToFloat16(1);

  private OverflowingSums() {}

  /**
   * Writes the model.
   *
   * @param size what the norm multiplies the 32 numbers with; 4000 makes their sums overflow
   */
  public static Path write(float size, Path target) {
    try {
      ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(MODEL)).order(ByteOrder.LITTLE_ENDIAN);
      GgufFile file = GgufFile.read(MODEL);
      int norm = Math.toIntExact(file.tensor("blk.1.attn_norm.weight").orElseThrow().offset());
      for (int i = 0; i < BLOCK; i++) {
        bytes.putFloat(norm + 4 * i, size);
      }
      blocks(bytes, file.tensor("token_embd.weight").orElseThrow(), ALIKE, (byte) 0xff);
      for (String name : WEIGHTS) {
        blocks(bytes, file.tensor(name).orElseThrow(), (short) 0, (byte) 0);
      }
      return Files.write(target, bytes.array());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The first block of each row of q4_0: its scale, and two numbers a byte. */
  private static void blocks(ByteBuffer bytes, TensorInfo tensor, short scale, byte pair) {
    int row = Math.toIntExact(tensor.bytes() / tensor.dimension(1));
    for (int i = 0; i < tensor.dimension(1); i++) {
      int block = Math.toIntExact(tensor.offset()) + i * row;
      bytes.putShort(block, scale);
      for (int pairs = 0; pairs < BLOCK / 2; pairs++) {
        bytes.put(block + 2 + pairs, pair);
      }
    }
  }
}
