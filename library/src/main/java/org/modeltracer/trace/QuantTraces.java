package org.modeltracer.trace;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.modeltracer.anomaly.QuantizationLevel;

/** Errors against a reference model: counts by level, and the worst tensors. */
final class QuantTraces {
  /** Tensors kept, worst first. */
  static final int WORST = 64;

  private static final Comparator<QuantizationErrorTrace> WORST_FIRST =
      Comparator.comparingDouble(t -> Double.isNaN(t.cosine()) ? -2 : t.cosine());
  private final List<QuantizationErrorTrace> worst = new ArrayList<>();
  private final Map<QuantizationLevel, Long> byLevel = new EnumMap<>(QuantizationLevel.class);
  private long tensors;

  void record(QuantizationErrorTrace trace) {
    tensors++;
    byLevel.merge(trace.level(), 1L, Long::sum);
    int at = Collections.binarySearch(worst, trace, WORST_FIRST);
    worst.add(at < 0 ? -at - 1 : at + 1, trace);
    if (worst.size() > WORST) {
      worst.removeLast();
    }
  }

  long count(QuantizationLevel level) {
    return byLevel.getOrDefault(level, 0L);
  }

  QuantizationSummary summary() {
    return new QuantizationSummary(
        tensors,
        count(QuantizationLevel.WARNING),
        count(QuantizationLevel.CRITICAL),
        List.copyOf(worst));
  }
}
