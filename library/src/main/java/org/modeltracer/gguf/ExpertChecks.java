package org.modeltracer.gguf;

import java.util.Set;
import java.util.stream.LongStream;

/** Experts: llama.cpp asserts that those used are among those there are. */
final class ExpertChecks {
  private static final String USED = "expert_used_count";
  private static final String GROUPS = "expert_group_count";
  private static final String USED_GROUPS = "expert_group_used_count";
  private static final String GATING = "expert_gating_func";
  private static final int MOST_EXPERTS = 512;

  /** Softmax, sigmoid, softmax of those chosen, root of softplus; 0 is what was not said. */
  private static final int MOST_GATING = 4;

  /** Architectures in which llama.cpp asserts that there are experts; others return an error. */
  private static final Set<String> ALWAYS =
      Set.of("bailingmoe2", "glm4moe", "grovemoe", "llada-moe", "smallthinker");

  private ExpertChecks() {}

  static void run(LoadChecks checks) {
    long experts = checks.integer("expert_count").orElse(0);
    long used = used(checks);
    if (experts < 0 || experts > MOST_EXPERTS) {
      checks.report(checks.key("expert_count"), "must be at most %d", MOST_EXPERTS);
    } else if (used < 0 || used > experts) {
      checks.report(checks.key(USED), "must be at most the expert_count, %d", experts);
    } else if (experts > 0 && used == 0) {
      checks.report(checks.key(USED), "must be over 0, the model has %d experts", experts);
    }
    if (experts == 0 && ALWAYS.contains(checks.architecture())) {
      checks.report(checks.key("expert_count"), "must be over 0 in this architecture");
    }
    groups(checks, experts);
    long gating = checks.integer(GATING).orElse(0);
    if (gating < 0 || gating > MOST_GATING) {
      checks.report(checks.key(GATING), "must be 0 to %d, the functions there are", MOST_GATING);
    }
  }

  private static void groups(LoadChecks checks, long experts) {
    long groups = checks.integer(GROUPS).orElse(0);
    long used = checks.integer(USED_GROUPS).orElse(0);
    if (groups < 0 || (groups > 0 && (groups >= experts || experts % groups != 0))) {
      checks.report(
          checks.key(GROUPS), "must be below the expert_count, %d, and divide it", experts);
    } else if (groups > 1 && (used < 1 || used >= groups)) {
      checks.report(checks.key(USED_GROUPS), "must be 1 to %d, below the %s", groups - 1, GROUPS);
    }
  }

  private static long used(LoadChecks checks) {
    return checks
        .metadata()
        .integers(checks.key(USED))
        .map(perLayer -> LongStream.of(perLayer).max().orElse(0))
        .orElse(checks.integer(USED).orElse(0));
  }
}
