package org.modeltracer.gguf;

import java.util.List;
import java.util.OptionalLong;

/** Positions: what is turned by them lies within a head, in one of the ways llama.cpp knows. */
final class RotationChecks {
  private static final String TURNED = "rope.dimension_count";
  private static final List<String> SCALINGS = List.of("none", "linear", "yarn", "longrope");

  /** Heads of this architecture have a part that is not turned; llama.cpp asserts on it. */
  private static final String IN_TWO_PARTS = "deepseek2";

  private RotationChecks() {}

  static void run(LoadChecks checks) {
    for (String name : List.of(TURNED, TURNED + "_swa")) {
      if (checks.integer(name).orElse(0) % 2 != 0) {
        checks.report(checks.key(name), "must be even");
      }
    }
    String key = checks.key("rope.scaling.type");
    if (checks.metadata().string(key).filter(type -> !SCALINGS.contains(type)).isPresent()) {
      checks.report(key, "must be one of %s", String.join(", ", SCALINGS));
    }
    within(checks);
    temperature(checks);
  }

  private static void within(LoadChecks checks) {
    long head = head(checks).orElse(0);
    long turned = checks.integer(TURNED).orElse(head);
    if (head > 0 && turned > head) {
      checks.report(checks.key(TURNED), "must be at most the width of a head, %d", head);
    } else if (head > 0 && turned == head && checks.architecture().equals(IN_TWO_PARTS)) {
      checks.report(checks.key(TURNED), "must be below the width of a head, %d", head);
    }
  }

  /** The width of a head's keys; empty where the file does not say it of all layers at once. */
  private static OptionalLong head(LoadChecks checks) {
    for (String name : List.of("attention.key_length_mla", "attention.key_length")) {
      OptionalLong given = checks.integer(name);
      if (given.orElse(0) > 0) {
        return given;
      }
    }
    long width = checks.integer("embedding_length").orElse(0);
    long heads = checks.integer("attention.head_count").orElse(0);
    return heads > 0 && width >= heads ? OptionalLong.of(width / heads) : OptionalLong.empty();
  }

  /** Scores grow with the position, counted in pieces of a length. */
  private static void temperature(LoadChecks checks) {
    String key = checks.key("attention.temperature_scale");
    if (checks.metadata().number(key).orElse(0) != 0
        && checks.integer("attention.temperature_length").orElse(1) == 0) {
      checks.report(
          checks.key("attention.temperature_length"),
          "must be over 0, attention.temperature_scale is not 0");
    }
  }
}
