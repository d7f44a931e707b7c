package org.modeltracer.gguf;

import java.util.stream.LongStream;

/** Experts: llama.cpp asserts that those used are among those there are. */
final class ExpertChecks {
  private static final String USED = "expert_used_count";
  private static final int MOST_EXPERTS = 512;

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
  }

  private static long used(LoadChecks checks) {
    return checks
        .metadata()
        .integers(checks.key(USED))
        .map(perLayer -> LongStream.of(perLayer).max().orElse(0))
        .orElse(checks.integer(USED).orElse(0));
  }
}
