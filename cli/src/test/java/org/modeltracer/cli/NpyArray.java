package org.modeltracer.cli;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A NumPy file, read as NumPy's format description says, without the code that writes them. */
public record NpyArray(String descr, long[] shape, int headerBytes, ByteBuffer data) {
  private static final Pattern HEADER =
      Pattern.compile(
          "\\{'descr': '(<[fi]4)', 'fortran_order': False, 'shape': \\(([0-9, ]+)\\), \\} *\n");

  public static NpyArray read(Path file) throws IOException {
    ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
    byte[] magic = new byte[8];
    bytes.get(magic);
    if (!Arrays.equals(magic, new byte[] {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0})) {
      throw new IOException(file + " is no NumPy file of version 1.0");
    }
    byte[] header = new byte[Short.toUnsignedInt(bytes.getShort())];
    bytes.get(header);
    Matcher m = HEADER.matcher(new String(header, StandardCharsets.US_ASCII));
    if (!m.matches()) {
      throw new IOException(file + " has a header that NumPy cannot evaluate");
    }
    long[] shape =
        Arrays.stream(m.group(2).split(","))
            .map(String::strip)
            .mapToLong(Long::parseLong)
            .toArray();
    int headerBytes = bytes.position();
    ByteBuffer data = bytes.slice().order(ByteOrder.LITTLE_ENDIAN);
    if (data.remaining() != 4 * Arrays.stream(shape).reduce(1, (a, b) -> a * b)) {
      throw new IOException(file + " holds " + data.remaining() + " bytes of " + m.group());
    }
    return new NpyArray(m.group(1), shape, headerBytes, data);
  }

  public float at(long... index) {
    return data.getFloat(4 * flat(index));
  }

  int integer(long... index) {
    return data.getInt(4 * flat(index));
  }

  int[] integers() {
    int[] all = new int[data.remaining() / 4];
    data.duplicate().order(ByteOrder.LITTLE_ENDIAN).asIntBuffer().get(all);
    return all;
  }

  private int flat(long... index) {
    long flat = 0;
    for (int d = 0; d < shape.length; d++) {
      if (index[d] >= shape[d]) {
        throw new IndexOutOfBoundsException(Arrays.toString(index));
      }
      flat = flat * shape[d] + index[d];
    }
    return Math.toIntExact(flat);
  }
}
