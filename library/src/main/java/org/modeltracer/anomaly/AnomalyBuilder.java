package org.modeltracer.anomaly;

import java.util.List;
import org.jspecify.annotations.Nullable;
import org.modeltracer.model.Place;
import org.modeltracer.model.Site;
import org.modeltracer.model.TensorStats;

/** Puts an {@link Anomaly} together; what is not set does not apply. */
public final class AnomalyBuilder {
  private final AnomalyKind kind;
  private final Severity severity;
  private final String message;
  private @Nullable Site site;
  private @Nullable Integer layer;
  private @Nullable Integer head;
  private @Nullable Integer expert;
  private @Nullable String tensor;
  private @Nullable String op;
  private @Nullable Integer forward;
  private @Nullable Integer position;
  private @Nullable List<Long> firstIndex;
  private @Nullable TensorStats stats;

  AnomalyBuilder(AnomalyKind kind, Severity severity, String message) {
    this.kind = kind;
    this.severity = severity;
    this.message = message;
  }

  /** Sets site and layer. */
  public AnomalyBuilder place(Place place) {
    site = place.site();
    layer = place.layerOrNull();
    return this;
  }

  /** Sets the query head; negative means none. */
  public AnomalyBuilder head(int value) {
    head = value < 0 ? null : value;
    return this;
  }

  /** Sets the expert; negative means none. */
  public AnomalyBuilder expert(int value) {
    expert = value < 0 ? null : value;
    return this;
  }

  /** Sets the graph tensor and the operation that made it. */
  public AnomalyBuilder tensor(@Nullable String name, @Nullable String operation) {
    tensor = name;
    op = operation;
    return this;
  }

  /** Sets the index of the forward pass; negative means none. */
  public AnomalyBuilder forward(int value) {
    forward = value < 0 ? null : value;
    return this;
  }

  /** Sets the token position; negative means unknown. */
  public AnomalyBuilder position(int value) {
    position = value < 0 ? null : value;
    return this;
  }

  /** Sets counts and moments. */
  public AnomalyBuilder stats(TensorStats value) {
    stats = value;
    return this;
  }

  /** Sets the index of the first bad value, fastest dimension first; null means none. */
  public AnomalyBuilder firstIndex(@Nullable List<Long> index) {
    firstIndex = index == null ? null : List.copyOf(index);
    return this;
  }

  /** The anomaly, not yet reported: without number, repeats or root cause. */
  public Anomaly build() {
    TensorStats s = stats;
    return new Anomaly(
        0,
        severity,
        kind,
        site,
        layer,
        head,
        expert,
        tensor,
        op,
        forward,
        position,
        s == null ? null : s.count(),
        s == null ? null : s.nan(),
        s == null ? null : s.inf(),
        s == null ? null : s.zero(),
        firstIndex,
        s == null ? null : s.min(),
        s == null ? null : s.max(),
        s == null ? null : s.mean(),
        s == null ? null : s.std(),
        s == null ? null : s.l2(),
        0,
        message,
        null);
  }
}
