package org.modeltracer.gate;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.OptionalLong;
import java.util.concurrent.TimeUnit;

/**
 * How much memory a process holds: from {@code /proc} on Linux, else by asking {@code ps}.
 *
 * <p>On Linux without pages of files, which the system takes back when it needs them: a mapped
 * model may be larger than the machine's memory.
 */
final class ResidentMemory {
  private static final long KILOBYTE = 1024;
  private static final int PATIENCE_SECONDS = 5;

  private final Path status;
  private final long pid;
  private boolean unknown;

  ResidentMemory(long pid) {
    this.pid = pid;
    status = Path.of("/proc", String.valueOf(pid), "status");
  }

  /** Whether asking costs next to nothing. */
  boolean cheap() {
    return Files.isReadable(status);
  }

  /** Bytes in memory; empty when the process has ended or this system does not tell. */
  OptionalLong bytes() {
    try {
      if (cheap()) {
        long[] own =
            Files.readAllLines(status, StandardCharsets.ISO_8859_1).stream()
                .filter(line -> line.startsWith("RssAnon:") || line.startsWith("RssShmem:"))
                .mapToLong(line -> KILOBYTE * Long.parseLong(line.replaceAll("\\D", "")))
                .toArray();
        return own.length == 0 ? OptionalLong.empty() : OptionalLong.of(Arrays.stream(own).sum());
      }
      return unknown ? OptionalLong.empty() : asked();
    } catch (IOException | NumberFormatException e) {
      unknown = true;
      return OptionalLong.empty();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return OptionalLong.empty();
    }
  }

  private OptionalLong asked() throws IOException, InterruptedException {
    Process ps = new ProcessBuilder("ps", "-o", "rss=", "-p", String.valueOf(pid)).start();
    try {
      if (!ps.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
        return OptionalLong.empty();
      }
      String kilobytes = new String(ps.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      return kilobytes.isBlank()
          ? OptionalLong.empty()
          : OptionalLong.of(KILOBYTE * Long.parseLong(kilobytes.strip()));
    } finally {
      ps.destroyForcibly();
    }
  }
}
