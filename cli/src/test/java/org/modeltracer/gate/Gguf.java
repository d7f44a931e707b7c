package org.modeltracer.gate;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.TensorInfo;

/** Rewrites the metadata of a GGUF file, key by key, and leaves its tensors as they are. */
public final class Gguf {
  private static final int STRING = 8;
  private static final int ARRAY = 9;
  private static final int[] WIDTHS = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

  private final ByteBuffer in;
  private final GgufFile file;
  private final Map<String, byte[]> pairs = new LinkedHashMap<>();

  public Gguf(Path path) {
    try {
      in = ByteBuffer.wrap(Files.readAllBytes(path)).order(ByteOrder.LITTLE_ENDIAN);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    file = GgufFile.read(path);
    in.position(16);
    long count = in.getLong();
    for (long i = 0; i < count; i++) {
      String key = string();
      int from = in.position();
      skip(in.getInt());
      pairs.put(key, slice(from, in.position()));
    }
  }

  public Gguf remove(String key) {
    pairs.remove(key);
    return this;
  }

  public Gguf text(String key, String value) {
    pairs.put(key, join(u32(STRING), string(value)));
    return this;
  }

  public Gguf u32(String key, long value) {
    pairs.put(key, join(u32(4), u32((int) value)));
    return this;
  }

  public Gguf bool(String key, boolean value) {
    pairs.put(key, join(u32(7), new byte[] {(byte) (value ? 1 : 0)}));
    return this;
  }

  public Gguf u64(String key, long value) {
    pairs.put(key, join(u32(10), u64(value)));
    return this;
  }

  public Gguf f32(String key, float value) {
    pairs.put(key, join(u32(6), u32(Float.floatToRawIntBits(value))));
    return this;
  }

  public Gguf i32s(String key, long[] values) {
    var out = new ByteArrayOutputStream();
    out.writeBytes(u32(ARRAY));
    out.writeBytes(u32(5));
    out.writeBytes(u64(values.length));
    for (long value : values) {
      out.writeBytes(u32((int) value));
    }
    pairs.put(key, out.toByteArray());
    return this;
  }

  public Gguf texts(String key, List<String> values) {
    var out = new ByteArrayOutputStream();
    out.writeBytes(u32(ARRAY));
    out.writeBytes(u32(STRING));
    out.writeBytes(u64(values.size()));
    values.forEach(value -> out.writeBytes(string(value)));
    pairs.put(key, out.toByteArray());
    return this;
  }

  /** An array of int32. */
  public Gguf ints(String key, int... values) {
    var out = new ByteArrayOutputStream();
    out.writeBytes(u32(ARRAY));
    out.writeBytes(u32(5));
    out.writeBytes(u64(values.length));
    Arrays.stream(values).forEach(value -> out.writeBytes(u32(value)));
    pairs.put(key, out.toByteArray());
    return this;
  }

  public List<String> texts(String key) {
    return file.metadata().strings(key).orElseThrow();
  }

  public Path write(Path target) {
    var out = new ByteArrayOutputStream();
    out.writeBytes("GGUF".getBytes(StandardCharsets.US_ASCII));
    out.writeBytes(u32(3));
    out.writeBytes(u64(file.tensors().size()));
    out.writeBytes(u64(pairs.size()));
    pairs.forEach(
        (key, value) -> {
          out.writeBytes(string(key));
          out.writeBytes(value);
        });
    for (TensorInfo tensor : file.tensors()) {
      out.writeBytes(string(tensor.name()));
      out.writeBytes(u32(tensor.shape().size()));
      tensor.shape().forEach(n -> out.writeBytes(u64(n)));
      out.writeBytes(u32(tensor.type().id()));
      out.writeBytes(u64(tensor.offset() - file.dataOffset()));
    }
    out.writeBytes(new byte[Math.floorMod(-out.size(), (int) file.alignment())]);
    out.writeBytes(slice((int) file.dataOffset(), in.capacity()));
    try {
      return Files.write(target, out.toByteArray());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void skip(int type) {
    if (type == STRING) {
      string();
    } else if (type == ARRAY) {
      int element = in.getInt();
      long n = in.getLong();
      for (long i = 0; i < n; i++) {
        skip(element);
      }
    } else {
      in.position(in.position() + WIDTHS[type]);
    }
  }

  private String string() {
    var bytes = new byte[(int) in.getLong()];
    in.get(bytes);
    return new String(bytes, StandardCharsets.UTF_8);
  }

  private byte[] slice(int from, int to) {
    var bytes = new byte[to - from];
    in.get(from, bytes);
    return bytes;
  }

  private static byte[] string(String text) {
    byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
    return join(u64(utf8.length), utf8);
  }

  private static byte[] u32(int value) {
    return ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(value).array();
  }

  private static byte[] u64(long value) {
    return ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(value).array();
  }

  private static byte[] join(byte[] a, byte[] b) {
    byte[] all = Arrays.copyOf(a, a.length + b.length);
    System.arraycopy(b, 0, all, a.length, b.length);
    return all;
  }
}
