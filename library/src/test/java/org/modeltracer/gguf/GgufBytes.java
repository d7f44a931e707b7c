package org.modeltracer.gguf;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** Writes GGUF files from scratch, sound or not, as the format's description has it. */
public final class GgufBytes {
  private final ByteArrayOutputStream pairs = new ByteArrayOutputStream();
  private final ByteArrayOutputStream table = new ByteArrayOutputStream();
  private int version = 3;
  private long pairCount;
  private long tensorCount;
  private int alignment = 32;
  private long dataBytes;

  public GgufBytes version(int value) {
    version = value;
    return this;
  }

  /** The counts that the header claims, in place of the true ones. */
  public GgufBytes claim(long tensors, long metadata) {
    tensorCount = tensors;
    pairCount = metadata;
    return this;
  }

  /** Pads tensor data to this many bytes, without saying so in the metadata. */
  public GgufBytes align(int value) {
    alignment = value;
    return this;
  }

  public GgufBytes pair(String key, int type, byte[] value) {
    pairCount++;
    pairs.writeBytes(text(key));
    pairs.writeBytes(u32(type));
    pairs.writeBytes(value);
    return this;
  }

  public GgufBytes u32(String key, long value) {
    return pair(key, 4, u32((int) value));
  }

  public GgufBytes text(String key, String value) {
    return pair(key, 8, text(value));
  }

  public GgufBytes bool(String key, boolean value) {
    return pair(key, 7, new byte[] {(byte) (value ? 1 : 0)});
  }

  public GgufBytes array(String key, int type, long count, byte[]... elements) {
    return pair(key, 9, join(u32(type), u64(count), join(elements)));
  }

  public GgufBytes texts(String key, String... values) {
    var bytes = new byte[values.length][];
    for (int i = 0; i < values.length; i++) {
      bytes[i] = text(values[i]);
    }
    return array(key, 8, values.length, bytes);
  }

  /** An F32 tensor, laid out after the one before it. */
  public GgufBytes tensor(String name, long... shape) {
    long elements = 1;
    for (long size : shape) {
      elements *= size;
    }
    long offset = dataBytes;
    dataBytes += elements * 4;
    dataBytes += Math.floorMod(-dataBytes, (long) alignment);
    return line(name, 0, offset, shape);
  }

  /** A line of the tensor table, whatever its sense; no data are added for it. */
  public GgufBytes line(String name, int type, long offset, long... shape) {
    tensorCount++;
    table.writeBytes(text(name));
    table.writeBytes(u32(shape.length));
    for (long size : shape) {
      table.writeBytes(u64(size));
    }
    table.writeBytes(u32(type));
    table.writeBytes(u64(offset));
    return this;
  }

  /** Leaves room for data of a {@link #line}. */
  public GgufBytes pad(long bytes) {
    dataBytes += bytes;
    return this;
  }

  public byte[] header() {
    return join(
        "GGUF".getBytes(StandardCharsets.US_ASCII),
        u32(version),
        u64(tensorCount),
        u64(pairCount),
        pairs.toByteArray(),
        table.toByteArray());
  }

  public byte[] bytes() {
    byte[] header = header();
    int padding = Math.floorMod(-header.length, alignment);
    return join(header, new byte[padding], new byte[Math.toIntExact(dataBytes)]);
  }

  public GgufFile read(Path directory) {
    return read(directory, bytes());
  }

  /** Reads the file with so many bytes of tensor data. */
  public GgufFile read(Path directory, long bytes) {
    dataBytes = bytes;
    return read(directory, bytes());
  }

  public static GgufFile read(Path directory, byte[] bytes) {
    try {
      Path path = directory.resolve("built.gguf");
      Files.write(path, bytes);
      return GgufFile.read(path);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  public static byte[] u32(int value) {
    return ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(value).array();
  }

  public static byte[] u64(long value) {
    return ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(value).array();
  }

  public static byte[] text(String value) {
    byte[] utf8 = value.getBytes(StandardCharsets.UTF_8);
    return join(u64(utf8.length), utf8);
  }

  public static byte[] join(byte[]... parts) {
    var out = new ByteArrayOutputStream();
    for (byte[] part : parts) {
      out.writeBytes(part);
    }
    return out.toByteArray();
  }
}
