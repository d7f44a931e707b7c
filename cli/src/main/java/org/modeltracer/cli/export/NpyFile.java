package org.modeltracer.cli.export;

import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.stream.Collectors;

/**
 * A NumPy array on its way to disk, row by row in any order; only one row is held in memory.
 *
 * <p>Format version 1.0 (NEP 1): little-endian, C order. Until {@link #publish} the file carries
 * the suffix {@code .part}.
 */
final class NpyFile implements AutoCloseable {
  /** Element types, by NumPy's names. */
  public enum Type {
    FLOAT32("<f4"),
    INT32("<i4");

    private final String descr;

    Type(String descr) {
      this.descr = descr;
    }
  }

  private static final int ALIGNMENT = 64;
  private static final int PREFIX = 10;
  private static final int ELEMENT = 4;
  private static final ValueLayout.OfFloat LITTLE_FLOAT =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt LITTLE_INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final Path file;
  private final Path part;
  private final long rows;
  private final int rowLength;
  private final long dataOffset;
  private final FileChannel channel;
  private ByteBuffer row;
  private MemorySegment rowMemory;
  private long rowsWritten;

  /** Starts a file; the last dimension of {@code shape} is a row. */
  NpyFile(Path file, Type type, List<Long> shape) {
    this(file, type, shape, 1);
  }

  /** Starts a file; the last {@code rowDimensions} of {@code shape} are a row. */
  NpyFile(Path file, Type type, List<Long> shape, int rowDimensions) {
    this.file = OutputFile.replaceable(file);
    int outer = shape.size() - rowDimensions;
    rowLength = Math.toIntExact(elements(shape.subList(outer, shape.size())));
    rows = elements(shape.subList(0, outer));
    row = ByteBuffer.allocateDirect(Math.multiplyExact(rowLength, ELEMENT));
    rowMemory = MemorySegment.ofBuffer(row);
    byte[] header = header(type, shape);
    dataOffset = header.length;
    try {
      part = OutputFile.part(this.file);
      channel = FileChannel.open(part, StandardOpenOption.WRITE);
      write(ByteBuffer.wrap(header), 0);
    } catch (IOException e) {
      throw OutputFile.failed(file, e);
    }
  }

  private static byte[] header(Type type, List<Long> shape) {
    String sizes = shape.stream().map(String::valueOf).collect(Collectors.joining(", "));
    String text =
        "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }"
            .formatted(type.descr, shape.size() == 1 ? sizes + "," : sizes);
    int length = -(PREFIX + text.length() + 1) & (ALIGNMENT - 1);
    String padded = text + " ".repeat(length) + "\n";
    return ByteBuffer.allocate(PREFIX + padded.length())
        .order(ByteOrder.LITTLE_ENDIAN)
        .put((byte) 0x93)
        .put("NUMPY".getBytes(StandardCharsets.US_ASCII))
        .put((byte) 1)
        .put((byte) 0)
        .putShort((short) padded.length())
        .put(padded.getBytes(StandardCharsets.US_ASCII))
        .array();
  }

  /** Writes a row of native float32 values that lie at byte {@code offset}. */
  void row(long index, MemorySegment values, long offset) {
    MemorySegment.copy(
        values, ValueLayout.JAVA_FLOAT_UNALIGNED, offset, rowMemory, LITTLE_FLOAT, 0, rowLength);
    writeRow(index);
  }

  /** Writes a row of the first values of an array. */
  void row(long index, float[] values) {
    MemorySegment.copy(values, 0, rowMemory, LITTLE_FLOAT, 0, rowLength);
    writeRow(index);
  }

  /** Writes a row of the first values of an array. */
  void row(long index, int[] values) {
    MemorySegment.copy(values, 0, rowMemory, LITTLE_INT, 0, rowLength);
    writeRow(index);
  }

  private void writeRow(long index) {
    if (index < 0 || index >= rows) {
      throw new IndexOutOfBoundsException(file + " has no row " + index + " of " + rows);
    }
    try {
      write(row.clear(), dataOffset + index * rowLength * ELEMENT);
      rowsWritten++;
    } catch (IOException e) {
      throw OutputFile.failed(file, e);
    }
  }

  private void write(ByteBuffer bytes, long at) throws IOException {
    for (long position = at; bytes.hasRemaining(); ) {
      position += channel.write(bytes, position);
    }
  }

  /**
   * Ends writing.
   *
   * @throws IllegalStateException when rows are missing
   */
  void complete() throws IOException {
    if (rowsWritten != rows) {
      throw new IllegalStateException(
          "%s got %d rows, not %d".formatted(file.getFileName(), rowsWritten, rows));
    }
    channel.close();
    // Others follow, each with a row of its own.
    row = ByteBuffer.allocate(0);
    rowMemory = MemorySegment.NULL;
  }

  /** Numbers of a row. */
  int rowLength() {
    return rowLength;
  }

  /** Moves the completed file into a stream, and out of the folder. */
  void drain(OutputStream target) throws IOException {
    Files.copy(part, target);
    Files.delete(part);
  }

  /** Gives the completed file its name. */
  void publish() throws IOException {
    OutputFile.publish(part, file);
  }

  /** Bytes of a file with an array of that shape. */
  static long bytes(Type type, List<Long> shape) {
    return header(type, shape).length + Math.multiplyExact(elements(shape), (long) ELEMENT);
  }

  /** Numbers of an array of that shape. */
  static long elements(List<Long> shape) {
    return shape.stream().reduce(1L, Math::multiplyExact);
  }

  /** Removes what was not published. */
  @Override
  public void close() throws IOException {
    channel.close();
    Files.deleteIfExists(part);
  }
}
