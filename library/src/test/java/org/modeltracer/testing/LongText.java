package org.modeltracer.testing;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import org.modeltracer.testing.GgufAnatomy.Field;
import org.modeltracer.testing.GgufAnatomy.Part;

/** Copies of a model in which a text is as long as told, and all else is the same. */
public final class LongText {
  private static final int ALIGNMENT = 32;
  private static final int PIECE = 1 << 20;

  private LongText() {}

  /** The value of a key that is a string: about {@code bytes} times the same byte. */
  public static Path value(Path model, String key, long bytes, int unit, Path copy)
      throws IOException {
    byte[] all = Files.readAllBytes(model);
    List<Field> fields = GgufAnatomy.of(all);
    for (int i = 1; i < fields.size(); i++) {
      if (fields.get(i).part() == Part.STRING_LENGTH && fields.get(i - 1).of().equals(key)) {
        return write(all, fields.get(i).offset(), bytes, unit, copy);
      }
    }
    throw new IllegalArgumentException(model + " has no text " + key);
  }

  /** An element of an array of strings. */
  public static Path element(Path model, String key, int index, long bytes, int unit, Path copy)
      throws IOException {
    byte[] all = Files.readAllBytes(model);
    ByteBuffer in = ByteBuffer.wrap(all).order(ByteOrder.LITTLE_ENDIAN);
    Field count =
        GgufAnatomy.of(all).stream()
            .filter(f -> f.part() == Part.ARRAY_COUNT && f.of().equals(key))
            .findFirst()
            .orElseThrow();
    int at = count.offset() + Long.BYTES;
    for (int i = 0; i < index; i++) {
      at += Long.BYTES + (int) in.getLong(at);
    }
    return write(all, at, bytes, unit, copy);
  }

  /** The data stay aligned, as the length grows by multiples of the alignment. */
  private static Path write(byte[] all, int at, long bytes, int unit, Path copy)
      throws IOException {
    ByteBuffer in = ByteBuffer.wrap(all).order(ByteOrder.LITTLE_ENDIAN);
    long old = in.getLong(at);
    long length = old + Math.max(0, (bytes - old) / ALIGNMENT * ALIGNMENT);
    in.putLong(at, length);
    byte[] text = new byte[PIECE];
    Arrays.fill(text, (byte) unit);
    try (var out =
        FileChannel.open(copy, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      out.write(in.duplicate().limit(at + Long.BYTES));
      for (long left = length; left > 0; left -= PIECE) {
        out.write(ByteBuffer.wrap(text, 0, (int) Math.min(PIECE, left)));
      }
      out.write(in.duplicate().position((int) (at + Long.BYTES + old)));
    }
    return copy;
  }
}
