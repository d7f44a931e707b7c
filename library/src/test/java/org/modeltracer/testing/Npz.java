package org.modeltracer.testing;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;

/** Arrays of a NumPy archive, flat in order of their last dimension. */
public record Npz(Path file) {
  private static final int HEADER = 10;

  /** A float64 array. */
  public double[] doubles(String name) {
    ByteBuffer data = data(name, "<f8");
    double[] values = new double[data.remaining() / Double.BYTES];
    data.asDoubleBuffer().get(values);
    return values;
  }

  /** An int32 array. */
  public int[] ints(String name) {
    ByteBuffer data = data(name, "<i4");
    int[] values = new int[data.remaining() / Integer.BYTES];
    data.asIntBuffer().get(values);
    return values;
  }

  /** What follows the header of version 1. */
  private ByteBuffer data(String name, String type) {
    try (FileSystem zip = FileSystems.newFileSystem(file)) {
      byte[] bytes = Files.readAllBytes(zip.getPath(name + ".npy"));
      ByteBuffer all = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
      int header = HEADER + all.getShort(HEADER - 2);
      String head = new String(bytes, 0, header, StandardCharsets.ISO_8859_1);
      if (!head.contains("'" + type + "'") || head.contains("'fortran_order': True")) {
        throw new IllegalArgumentException(name + " is not of type " + type + ": " + head);
      }
      return all.position(header).slice().order(ByteOrder.LITTLE_ENDIAN);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
