package org.modeltracer.testing;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.modeltracer.gguf.GgmlType;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.TensorInfo;

/** The weights of a GGUF file in F32 or F16, as numbers. */
public final class Weights {
  private final GgufFile file;
  private final ByteBuffer bytes;

  /** Reads a file. */
  public Weights(Path path) {
    file = GgufFile.read(path);
    try {
      bytes = ByteBuffer.wrap(Files.readAllBytes(path)).order(ByteOrder.LITTLE_ENDIAN);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** What the file says of itself. */
  public GgufFile file() {
    return file;
  }

  /** Whether there is such a tensor. */
  public boolean has(String name) {
    return file.tensor(name).isPresent();
  }

  /** All elements of a tensor, fastest dimension first. */
  public float[] get(String name) {
    TensorInfo tensor = file.tensor(name).orElseThrow();
    float[] values = new float[Math.toIntExact(tensor.elements())];
    int at = Math.toIntExact(tensor.offset());
    for (int i = 0; i < values.length; i++) {
      values[i] =
          switch (tensor.type()) {
            case F32 -> bytes.getFloat(at + 4 * i);
            case F16 -> Float.float16ToFloat(bytes.getShort(at + 2 * i));
            default -> throw new IllegalArgumentException(name + " is " + tensor.type());
          };
    }
    return values;
  }

  /** Writes the same model with every weight as float32, which changes no weight. */
  @SuppressWarnings("ByteBufferBackingArray") // little() allocates
  public Path writeAsF32(Path target) {
    var table = new ByteArrayOutputStream();
    var data = new ByteArrayOutputStream();
    for (TensorInfo tensor : file.tensors()) {
      byte[] name = tensor.name().getBytes(StandardCharsets.UTF_8);
      ByteBuffer line = little(8 + name.length + 4 + 8 * tensor.shape().size() + 4 + 8);
      line.putLong(name.length).put(name).putInt(tensor.shape().size());
      tensor.shape().forEach(line::putLong);
      line.putInt(GgmlType.F32.id()).putLong(data.size());
      table.writeBytes(line.array());
      float[] values = get(tensor.name());
      ByteBuffer floats = little(4 * values.length);
      floats.asFloatBuffer().put(values);
      data.writeBytes(floats.array());
      pad(data);
    }
    var out = new ByteArrayOutputStream();
    out.write(bytes.array(), 0, tableStart());
    out.writeBytes(table.toByteArray());
    pad(out);
    out.writeBytes(data.toByteArray());
    try {
      return Files.write(target, out.toByteArray());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void pad(ByteArrayOutputStream out) {
    out.writeBytes(new byte[Math.floorMod(-out.size(), (int) file.alignment())]);
  }

  /** Where the tensor table begins: at the first tensor's name, which no metadata hold. */
  private int tableStart() {
    byte[] name = file.tensors().getFirst().name().getBytes(StandardCharsets.UTF_8);
    byte[] wanted = little(8 + name.length).putLong(name.length).put(name).array();
    for (int at = 24; ; at++) {
      if (ByteBuffer.wrap(bytes.array(), at, wanted.length).equals(ByteBuffer.wrap(wanted))) {
        return at;
      }
    }
  }

  private static ByteBuffer little(int size) {
    return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
  }
}
