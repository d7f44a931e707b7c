package org.modeltracer.gate.checks;

import static org.modeltracer.anomaly.Severity.INFO;

import java.util.List;
import java.util.Set;
import org.modeltracer.gguf.GgufFile;

/**
 * Keys that a file lacks and for which llama.cpp v0.5.0 takes a value without a word, that other
 * models of the architecture do not have: a model converted without the key computes something
 * else, and no number of it is unsound.
 */
final class SilentDefaults {
  /**
   * A key and what becomes of it.
   *
   * @param key without the architecture
   * @param taken what llama.cpp takes
   * @param architectures those that have it; empty for all that have {@code needed}
   * @param needed a key without which this one has no meaning
   */
  private record Default(String key, String taken, Set<String> architectures, String needed) {
    boolean silent(GgufFile file) {
      String architecture = file.architecture().orElse("");
      String prefix = architecture + ".";
      return file.metadata().get(prefix + key).isEmpty()
          && file.metadata().get(prefix + needed).isPresent()
          && (architectures.isEmpty() || architectures.contains(architecture));
    }
  }

  private static final List<Default> DEFAULTS =
      List.of(
          new Default("rope.freq_base", "10000", Set.of(), "rope.dimension_count"),
          new Default("expert_gating_func", "1, the softmax", Set.of("deepseek2"), "expert_count"));

  private SilentDefaults() {}

  static void look(FileMetadata.Problems problems) {
    for (Default one : DEFAULTS) {
      if (one.silent(problems.file())) {
        String key = problems.key(one.key());
        problems.say(
            "silent_default",
            INFO,
            key,
            "%s is missing: llama.cpp takes %s, which is wrong where the model was trained with another"
                .formatted(key, one.taken()));
      }
    }
  }
}
