package org.modeltracer.anomaly;

import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** How close a quantized tensor stays to its reference, by cosine similarity. */
public enum QuantizationLevel {
  /** Close enough. */
  ACCEPTABLE,
  /** Further away than usual. */
  WARNING,
  /** Too far away. */
  CRITICAL;

  private final String id = name().toLowerCase(Locale.ROOT);

  /** Name in JSON. */
  public String id() {
    return id;
  }

  /** The level of a cosine, -1 to 1; NaN (a tensor without direction) is critical. */
  public static QuantizationLevel of(double cosine, Thresholds limits) {
    if (cosine > limits.quantAcceptable()) {
      return ACCEPTABLE;
    }
    return cosine > limits.quantWarning() ? WARNING : CRITICAL;
  }

  /** What to report of a tensor at this level, or null when it is acceptable. */
  public @Nullable Finding finding(double cosine) {
    if (this == ACCEPTABLE) {
      return null;
    }
    return Finding.of(
        AnomalyKind.QUANTIZATION,
        this == WARNING ? Severity.WARNING : Severity.CRITICAL,
        "cosine %.5f to the reference".formatted(cosine));
  }
}
