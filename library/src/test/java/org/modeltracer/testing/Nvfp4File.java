package org.modeltracer.testing;

import static org.modeltracer.gguf.GgufBytes.join;
import static org.modeltracer.gguf.GgufBytes.text;
import static org.modeltracer.gguf.GgufBytes.u32;
import static org.modeltracer.gguf.GgufBytes.u64;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import org.modeltracer.gguf.GgmlType;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.TensorInfo;

/**
 * A model quantized to NVFP4: a value is code × block scale × tensor scale.
 *
 * <p>A block of 64 values has four scales of 16 values each, in eight bits without sign (four of
 * exponent, three of mantissa), then 32 bytes of codes in four bits (a sign, two of exponent, one
 * of mantissa), the low halves first. The tensor scale is a tensor of its own, {@code *.scale}.
 */
public final class Nvfp4File {
  private static final double[] CODES = {0, 0.5, 1, 1.5, 2, 3, 4, 6};
  private static final double[] SCALES = new double[127];

  static {
    for (int i = 0; i < SCALES.length; i++) {
      int exponent = i >> 3;
      double mantissa = (i & 7) / 8.0;
      SCALES[i] =
          exponent == 0 ? mantissa * Math.pow(2, -6) : (1 + mantissa) * Math.pow(2, exponent - 7);
    }
  }

  private record Written(String name, List<Long> shape, GgmlType type, byte[] data) {}

  private Nvfp4File() {}

  /**
   * Writes a model with some matrices quantized.
   *
   * @param quantized which, by name
   * @param scaled which of them get a scale, by name; the others have block scales alone
   * @param written which of those scales are in the file, by name of the matrix
   */
  public static Path write(
      Path base,
      Path target,
      Predicate<String> quantized,
      Predicate<String> scaled,
      Predicate<String> written) {
    var weights = new Weights(base);
    GgufFile file = weights.file();
    var tensors = new ArrayList<Written>();
    for (TensorInfo tensor : file.tensors()) {
      float[] values = weights.get(tensor.name());
      boolean matrix = tensor.name().startsWith("blk.") && tensor.shape().size() == 2;
      if (!matrix || !quantized.test(tensor.name())) {
        tensors.add(new Written(tensor.name(), tensor.shape(), GgmlType.F32, floats(values)));
        continue;
      }
      double most = 0;
      for (float value : values) {
        most = Math.max(most, Math.abs(value));
      }
      double scale = scaled.test(tensor.name()) ? most / (6 * 448) : 1;
      byte[] blocks = blocks(values, scale);
      tensors.add(new Written(tensor.name(), tensor.shape(), GgmlType.NVFP4, blocks));
      if (scaled.test(tensor.name()) && written.test(tensor.name())) {
        String name = tensor.name().replace(".weight", ".scale");
        tensors.add(new Written(name, List.of(1L), GgmlType.F32, floats((float) scale)));
      }
    }
    return write(base, target, file, tensors);
  }

  private static Path write(Path base, Path target, GgufFile file, List<Written> tensors) {
    try {
      byte[] bytes = Files.readAllBytes(base);
      int table =
          GgufAnatomy.of(bytes).stream()
              .filter(field -> field.part() == GgufAnatomy.Part.NAME_LENGTH)
              .findFirst()
              .orElseThrow()
              .offset();
      var out = new ByteArrayOutputStream();
      out.write(bytes, 0, 8);
      out.writeBytes(join(u64(tensors.size()), u64(file.metadata().size())));
      out.write(bytes, 24, table - 24);
      long offset = 0;
      for (Written tensor : tensors) {
        out.writeBytes(join(text(tensor.name()), u32(tensor.shape().size())));
        tensor.shape().forEach(size -> out.writeBytes(u64(size)));
        out.writeBytes(join(u32(tensor.type().id()), u64(offset)));
        offset += tensor.data().length + Math.floorMod(-tensor.data().length, 32);
      }
      out.writeBytes(new byte[Math.floorMod(-out.size(), 32)]);
      for (Written tensor : tensors) {
        out.writeBytes(tensor.data());
        out.writeBytes(new byte[Math.floorMod(-out.size(), 32)]);
      }
      return Files.write(target, out.toByteArray());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static byte[] blocks(float[] values, double scale) {
    var out = ByteBuffer.allocate(values.length / 64 * 36);
    var codes = new byte[32];
    for (int block = 0; block < values.length; block += 64) {
      for (int sub = 0; sub < 4; sub++) {
        int at = block + 16 * sub;
        double most = 0;
        for (int i = 0; i < 16; i++) {
          most = Math.max(most, Math.abs(values[at + i] / scale));
        }
        int own = nearest(SCALES, most / 6);
        out.put((byte) own);
        for (int i = 0; i < 8; i++) {
          int low = code(values[at + i] / scale, SCALES[own]);
          int high = code(values[at + 8 + i] / scale, SCALES[own]);
          codes[8 * sub + i] = (byte) (low | high << 4);
        }
      }
      out.put(codes);
    }
    return out.array();
  }

  private static int code(double value, double scale) {
    return scale == 0 ? 0 : nearest(CODES, Math.abs(value / scale)) | (value < 0 ? 8 : 0);
  }

  private static int nearest(double[] table, double value) {
    int best = 0;
    for (int i = 1; i < table.length; i++) {
      if (Math.abs(table[i] - value) < Math.abs(table[best] - value)) {
        best = i;
      }
    }
    return best;
  }

  private static byte[] floats(float... values) {
    ByteBuffer out = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    out.asFloatBuffer().put(values);
    return out.array();
  }
}
