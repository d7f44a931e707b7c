package org.modeltracer.quant;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;

/** The last thing of weight that a process wrote to its standard error. */
final class LastWords {
  private static final int LONGEST = 300;

  private final Thread reader;
  private volatile String last = "";

  private LastWords(InputStream from) {
    reader =
        Thread.ofPlatform().daemon().name("stderr of the other process").start(() -> read(from));
  }

  /** Reads a stream to its end, so that who writes never waits. */
  static LastWords of(InputStream from) {
    return new LastWords(from);
  }

  private void read(InputStream from) {
    try (var lines = new BufferedReader(new InputStreamReader(from, StandardCharsets.UTF_8))) {
      lines.lines().map(line -> line.replaceFirst("^[#\\s]+", "")).forEach(this::keep);
    } catch (IOException | UncheckedIOException e) {
      last = last.isEmpty() ? String.valueOf(e.getMessage()) : last;
    }
  }

  /** A crash report names the signal first; what comes after is where to send it. */
  private void keep(String line) {
    boolean known = last.startsWith("SIG") || last.contains("ends this process");
    if (!line.isBlank() && !known) {
      last = line.substring(0, Math.min(line.length(), LONGEST));
    }
  }

  /** In brackets, with a space before; empty when there is none. */
  String text() {
    try {
      reader.join(1000);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    return last.isEmpty() ? "" : " (" + last + ")";
  }
}
