package org.modeltracer.cli;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** What people who know llama.cpp's programs type, and what to do where it has no place here. */
final class LlamaFlags {
  private static final String TABLE = "llama-flags.txt";

  private LlamaFlags() {}

  /** What to do instead of an option of llama.cpp's; a value behind {@code =} does not matter. */
  static Optional<String> advice(String argument) {
    return Optional.ofNullable(table().get(argument.replaceFirst("=.*", "")));
  }

  /** All options that there is advice for. */
  static Set<String> known() {
    return table().keySet();
  }

  private static Map<String, String> table() {
    var advice = new HashMap<String, String>();
    String now = "";
    for (String line : lines().lines().filter(l -> !l.isBlank() && !l.startsWith("#")).toList()) {
      if (!line.startsWith(" ")) {
        now = line;
        continue;
      }
      for (String flag : line.strip().split(" +")) {
        advice.put(flag, now);
      }
    }
    return advice;
  }

  private static String lines() {
    try (InputStream in = LlamaFlags.class.getResourceAsStream(TABLE)) {
      if (in == null) {
        throw new IllegalStateException("not in the jar: " + TABLE);
      }
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
