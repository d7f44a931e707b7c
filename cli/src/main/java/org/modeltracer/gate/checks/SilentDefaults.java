package org.modeltracer.gate.checks;

import static org.modeltracer.anomaly.Severity.INFO;
import static org.modeltracer.anomaly.Severity.WARNING;

import org.modeltracer.gguf.GgufKind;
import org.modeltracer.gguf.SilentDefault;
import org.modeltracer.gguf.SilentDefault.Danger;

/**
 * Keys that a file lacks and for which llama.cpp takes a value without a word: a model converted
 * without the key computes something else, and no number of it is unsound.
 */
final class SilentDefaults {
  private SilentDefaults() {}

  static void look(FileMetadata.Problems problems) {
    for (SilentDefault missing : SilentDefault.of(problems.file())) {
      if (missing.danger() == Danger.NONE
          || problems.file().kind() == GgufKind.VOCABULARY && !missing.ofTokenizer()) {
        continue;
      }
      String key = missing.key(problems.file());
      problems.say(
          "silent_default",
          missing.danger() == Danger.CERTAIN ? WARNING : INFO,
          key,
          "%s is missing: llama.cpp takes %s%s"
              .formatted(
                  key,
                  missing.taken(problems.file()).map(taken -> taken + ": ").orElse(""),
                  missing.meaning()));
    }
  }
}
