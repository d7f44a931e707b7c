package org.modeltracer.testing;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.TensorInfo;

/**
 * A model of F16 weights in which 16 equal products follow each other and then as many of the other
 * sign: their sum is 0, and far from it on the way.
 */
public final class CancellingSums {
  /** The weight whose products they are. */
  public static final String WEIGHT = "blk.1.attn_q.weight";

  private static final int EACH = 16;
  private static final float STATE = 64;

  private CancellingSums() {}

  /**
   * Writes the model.
   *
   * @param weight the equal weights; 128 makes the sums leave F16 on the way
   */
  public static Path write(float weight, Path target) {
    Path healthy = Path.of("models", "tinyllama-mha-f16.gguf");
    try {
      GgufFile file = GgufFile.read(healthy);
      ByteBuffer bytes =
          ByteBuffer.wrap(Files.readAllBytes(healthy)).order(ByteOrder.LITTLE_ENDIAN);
      TensorInfo norm = file.tensor("blk.1.attn_norm.weight").orElseThrow();
      TensorInfo embedding = file.tensor("token_embd.weight").orElseThrow();
      TensorInfo query = file.tensor(WEIGHT).orElseThrow();
      for (int i = 0; i < 2 * EACH; i++) {
        bytes.putFloat(at(norm, 4L * i), STATE);
        column(bytes, embedding, i, STATE);
        column(bytes, query, i, i < EACH ? weight : -weight);
      }
      return Files.write(target, bytes.array());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Makes a column of an F16 matrix one number. */
  private static void column(ByteBuffer bytes, TensorInfo matrix, int column, float value) {
    for (long row = 0; row < matrix.dimension(1); row++) {
      bytes.putShort(
          at(matrix, 2 * (row * matrix.dimension(0) + column)), Float.floatToFloat16(value));
    }
  }

  private static int at(TensorInfo tensor, long offset) {
    return Math.toIntExact(tensor.offset() + offset);
  }
}
