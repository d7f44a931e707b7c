package org.modeltracer.gate.checks;

import static org.modeltracer.anomaly.AnomalyKind.*;

import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.modeltracer.anomaly.AnomalyKind;
import org.modeltracer.gate.policy.Policy;

/** Which check judges which kind of anomaly. */
final class Anomalies {
  static final String FINITE = "forward.finite";
  static final String HEADROOM_BITS = "forward.headroom";
  static final String ATTENTION = "attention.health";
  static final String GENERATION = "generation.sanity";

  private Anomalies() {}

  /** Kinds of a check. */
  static List<AnomalyKind> of(String check) {
    return switch (check) {
      case FINITE -> List.of(NAN, INF);
      case HEADROOM_BITS -> List.of(HEADROOM);
      case ATTENTION ->
          List.of(ROW_SUM, MASKED_ROW, ATTENTION_COLLAPSE, UNIFORM_ATTENTION, DEAD_HEAD);
      case GENERATION -> List.of(LOGITS, REPETITION, TOKENIZER);
      default -> throw new IllegalArgumentException(check);
    };
  }

  /** Kinds that no check of their own judges, as there is none or the policy does not ask it. */
  static List<AnomalyKind> others(Policy policy) {
    List<AnomalyKind> judged =
        Stream.of(FINITE, HEADROOM_BITS, ATTENTION, GENERATION)
            .filter(policy::wants)
            .flatMap(check -> of(check).stream())
            .toList();
    return Arrays.stream(AnomalyKind.values()).filter(kind -> !judged.contains(kind)).toList();
  }
}
