package org.modeltracer.gate.output;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Map;
import java.util.Objects;
import org.modeltracer.trace.Json;
import tools.jackson.core.type.TypeReference;

/** What each class of finding means and what to do about it, for people who meet it in a report. */
final class RuleHelp {
  private static final Map<String, String> TEXTS = read();

  private RuleHelp() {}

  /** The help for a rule; its own name where it is that of a check. */
  static String of(String rule) {
    return TEXTS.getOrDefault(rule, "The check " + rule + " failed; its message says why.");
  }

  /** Whether there is a text for a rule. */
  static boolean knows(String rule) {
    return TEXTS.containsKey(rule);
  }

  private static Map<String, String> read() {
    try (InputStream in = RuleHelp.class.getResourceAsStream("rules.json")) {
      return Json.mapper()
          .readValue(
              Objects.requireNonNull(in, "the jar lacks rules.json"), new TypeReference<>() {});
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
