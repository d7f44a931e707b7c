package org.modeltracer.llama.ffi;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** What this process has mapped, as Linux tells it. */
public final class Mappings {
  private Mappings() {}

  private static Stream<String> lines() {
    try {
      return Files.readAllLines(Path.of("/proc/self/maps"), StandardCharsets.ISO_8859_1).stream();
    } catch (IOException e) {
      return Stream.of();
    }
  }

  /** Files of which code is mapped: the program and its libraries. */
  public static List<String> libraries() {
    return lines()
        .filter(line -> line.contains(" r-xp ") && line.indexOf('/') > 0)
        .map(line -> line.substring(line.indexOf('/')))
        .distinct()
        .toList();
  }

  /** The file that an address is mapped from; empty where there is none, and not on Linux. */
  static Optional<Path> file(long address) {
    return lines()
        .filter(line -> line.indexOf('/') > 0 && within(line, address))
        .map(line -> Path.of(line.substring(line.indexOf('/'))))
        .findFirst();
  }

  /** Whether an address cannot be written to. */
  static boolean readOnly(long address) {
    return lines().filter(line -> within(line, address)).anyMatch(line -> !line.contains(" rw"));
  }

  private static boolean within(String line, long address) {
    int dash = line.indexOf('-');
    int blank = line.indexOf(' ');
    long from = Long.parseUnsignedLong(line.substring(0, dash), 16);
    long to = Long.parseUnsignedLong(line.substring(dash + 1, blank), 16);
    return Long.compareUnsigned(address, from) >= 0 && Long.compareUnsigned(address, to) < 0;
  }
}
