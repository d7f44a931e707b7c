package org.modeltracer.gguf;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import org.modeltracer.model.CutText;

/**
 * Reads little-endian values one after another through a small window.
 *
 * <p>Nothing is allocated before the file is known to hold it.
 */
final class ByteReader {
  /** The longest string or array this reader holds, as ggml does. */
  static final long LONGEST = 1L << 30;

  private final FileChannel channel;
  private final long size;
  private final ByteBuffer window;
  private long position;
  private long windowStart;
  private String part = "header";

  ByteReader(FileChannel channel) throws IOException {
    this.channel = channel;
    this.size = channel.size();
    this.window =
        ByteBuffer.allocate((int) Math.min(size, 1 << 16)).order(ByteOrder.LITTLE_ENDIAN).limit(0);
  }

  /** Names the part of the file that is read from here on, for messages. */
  void enter(String name) {
    part = name;
  }

  String part() {
    return part;
  }

  long size() {
    return size;
  }

  long position() {
    return position;
  }

  long remaining() {
    return size - position;
  }

  int u8() throws IOException {
    return Byte.toUnsignedInt(window.get(take(1)));
  }

  int i32() throws IOException {
    return window.getInt(take(Integer.BYTES));
  }

  long i64() throws IOException {
    return window.getLong(take(Long.BYTES));
  }

  /** Passes over bytes that the caller does not need now. */
  void skip(long bytes) {
    require(bytes);
    position += bytes;
  }

  /** Passes over a text that is not held. */
  void pass(int length, CutText text) throws IOException {
    require(length);
    for (int left = length; left > 0; ) {
      int step = Math.min(left, window.capacity());
      text.add(window.array(), take(step), step);
      left -= step;
    }
  }

  /** Copies the bytes from an earlier position up to here. */
  byte[] since(long start) throws IOException {
    int length = Math.toIntExact(position - start);
    position = start;
    return bytes(length);
  }

  byte[] bytes(int length) throws IOException {
    require(length);
    var bytes = new byte[length];
    for (int done = 0; done < length; ) {
      int step = Math.min(length - done, window.capacity());
      window.get(take(step), bytes, done, step);
      done += step;
    }
    return bytes;
  }

  /** Length field of a string, checked against what the file can hold. */
  int stringLength() throws IOException {
    long at = position;
    long length = i64();
    if (length < 0 || length > remaining() || length > LONGEST) {
      throw GgufException.at(
          at,
          "%s: a string claims %s bytes, %d are left in the file",
          part,
          Long.toUnsignedString(length),
          remaining());
    }
    return (int) length;
  }

  private void require(long bytes) {
    if (bytes > remaining()) {
      throw GgufException.at(
          position,
          "file is cut short inside %s: %d bytes needed, %d left",
          part,
          bytes,
          remaining());
    }
  }

  /** Index in the window of the next bytes, at most a window full, which it passes over. */
  private int take(int bytes) throws IOException {
    require(bytes);
    if (position < windowStart || position + bytes > windowStart + window.limit()) {
      fill();
    }
    int index = (int) (position - windowStart);
    position += bytes;
    return index;
  }

  private void fill() throws IOException {
    window.clear();
    windowStart = position;
    int wanted = (int) Math.min(window.capacity(), remaining());
    while (window.position() < wanted) {
      if (channel.read(window, windowStart + window.position()) < 0) {
        throw GgufException.at(windowStart, "file shrank while it was read");
      }
    }
    window.flip();
  }
}
