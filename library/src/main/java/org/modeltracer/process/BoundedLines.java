package org.modeltracer.process;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.function.Consumer;

/** Reads lines from a stream that nobody vouches for, within a length a line and a size for all. */
public final class BoundedLines {
  private final InputStream in;
  private final int longest;
  private final long most;
  private final ByteArrayOutputStream line = new ByteArrayOutputStream();
  private boolean discarding;

  /**
   * A reader.
   *
   * @param longest bytes of a line; longer lines are left out
   * @param most bytes of all lines
   */
  public BoundedLines(InputStream in, int longest, long most) {
    this.in = in;
    this.longest = longest;
    this.most = most;
  }

  /** Hands over line by line until the stream ends; false when it is longer than it may be. */
  public boolean read(Consumer<String> consumer) throws IOException {
    byte[] bytes = new byte[1 << 16];
    long all = 0;
    int n;
    while ((n = in.read(bytes)) >= 0) {
      all += n;
      if (all > most) {
        return false;
      }
      take(bytes, n, consumer);
    }
    end(consumer);
    return true;
  }

  private void take(byte[] bytes, int n, Consumer<String> consumer) {
    int from = 0;
    for (int i = 0; i < n; i++) {
      if (bytes[i] == '\n') {
        append(bytes, from, i);
        end(consumer);
        from = i + 1;
      }
    }
    append(bytes, from, n);
  }

  private void append(byte[] bytes, int from, int to) {
    discarding |= line.size() + to - from > longest;
    if (discarding) {
      line.reset();
    } else {
      line.write(bytes, from, to - from);
    }
  }

  private void end(Consumer<String> consumer) {
    if (!discarding && line.size() > 0) {
      consumer.accept(line.toString(StandardCharsets.UTF_8));
    }
    line.reset();
    discarding = false;
  }
}
