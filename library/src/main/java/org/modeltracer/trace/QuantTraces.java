package org.modeltracer.trace;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.QuantizationLevel;
import org.modeltracer.model.Place;

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

  Map<String, @Nullable Object> toJson() {
    Map<String, @Nullable Object> object = new LinkedHashMap<>();
    object.put("tensors", tensors);
    object.put("warnings", count(QuantizationLevel.WARNING));
    object.put("criticals", count(QuantizationLevel.CRITICAL));
    object.put("worst", worst.stream().map(QuantTraces::json).toList());
    return object;
  }

  private static Map<String, @Nullable Object> json(QuantizationErrorTrace t) {
    Place place = t.place();
    Map<String, @Nullable Object> object = new LinkedHashMap<>();
    object.put("layer", place.layer() == Place.AFTER_LAYERS ? null : place.layer());
    object.put("site", place.site());
    object.put("tensor", t.tensor());
    object.put("mse", t.mse());
    object.put("max_abs", t.maxAbs());
    object.put("relative_l2", t.relativeL2());
    object.put("cosine", t.cosine());
    object.put("snr_db", t.snrDb());
    object.put("level", t.level());
    return object;
  }
}
