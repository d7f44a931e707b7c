package org.modeltracer.process;

import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * Lines of a stream that nobody vouches for, within a length per line and a size for all, and the
 * bytes between them.
 */
public final class BoundedLines {
  private final InputStream in;
  private final int longest;
  private final long most;
  private final byte[] bytes = new byte[1 << 16];
  private final ByteArrayOutputStream line = new ByteArrayOutputStream();
  private int at;
  private int end;
  private long all;
  private boolean discarding;
  private volatile boolean exceeded;

  /**
   * A reader.
   *
   * @param longest bytes of a line; longer lines are left out
   * @param most bytes of the whole stream
   */
  public BoundedLines(InputStream in, int longest, long most) {
    this.in = in;
    this.longest = longest;
    this.most = most;
  }

  /**
   * The next line that is neither empty nor too long, waiting for it.
   *
   * @return null when the stream has ended, or holds more than it may
   */
  public @Nullable String next() throws IOException {
    while (at < end || fill()) {
      int from = at;
      while (at < end && bytes[at] != '\n') {
        at++;
      }
      append(from);
      if (at < end) {
        at++;
        String whole = take();
        if (whole != null) {
          return whole;
        }
      }
    }
    return exceeded ? null : take();
  }

  /** Reads the bytes that follow the line read last until the target is full, and a line feed. */
  void read(MemorySegment target) throws IOException {
    for (long done = 0; done < target.byteSize(); ) {
      if (at == end && !fill()) {
        throw new EOFException("the stream ended among bytes");
      }
      int n = (int) Math.min(end - at, target.byteSize() - done);
      MemorySegment.copy(bytes, at, target, ValueLayout.JAVA_BYTE, done, n);
      at += n;
      done += n;
    }
    if (at == end && !fill() || bytes[at++] != '\n') {
      throw new IOException("something else was printed among the bytes");
    }
  }

  /** Whether the stream held more than it may; nothing further is read of it then. Any thread. */
  public boolean exceeded() {
    return exceeded;
  }

  private boolean fill() throws IOException {
    int n = exceeded ? -1 : in.read(bytes);
    all += Math.max(0, n);
    exceeded = all > most;
    at = 0;
    end = exceeded ? 0 : Math.max(0, n);
    return n >= 0 && !exceeded;
  }

  private void append(int from) {
    discarding |= line.size() + at - from > longest;
    if (discarding) {
      line.reset();
    } else {
      line.write(bytes, from, at - from);
    }
  }

  private @Nullable String take() {
    String whole = discarding || line.size() == 0 ? null : line.toString(StandardCharsets.UTF_8);
    line.reset();
    discarding = false;
    return whole;
  }
}
