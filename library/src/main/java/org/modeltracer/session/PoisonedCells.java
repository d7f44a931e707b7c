package org.modeltracer.session;

import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.anomaly.AnomalyKind;
import org.modeltracer.anomaly.Cause;
import org.modeltracer.anomaly.RootCause;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.cache.CacheStatistics;
import org.modeltracer.cache.CacheStatistics.PoisonedCell;
import org.modeltracer.model.Place;
import org.modeltracer.model.Site;
import org.modeltracer.trace.ModelTracer;

/** Makes anomalies of cached keys and values that are NaN or infinite. */
final class PoisonedCells {
  private PoisonedCells() {}

  /** Reports each cell that is listed; those of one layer's keys, or values, are one anomaly. */
  static void report(CacheStatistics statistics, ModelTracer tracer) {
    List<Anomaly> before = tracer.anomalies();
    Set<Integer> told = before.stream().map(Anomaly::id).collect(Collectors.toSet());
    for (PoisonedCell cell : statistics.poisoned()) {
      Anomaly known = tracer.report(anomaly(cell));
      // Without activations nobody watched the pass that wrote the cell.
      if (told.add(known.id()) && tracer.config().activations()) {
        cause(cell, before).ifPresent(cause -> tracer.attachRootCause(known.id(), cause));
      }
    }
  }

  private static Optional<RootCause> cause(PoisonedCell cell, List<Anomaly> before) {
    List<Anomaly> bad =
        before.stream()
            .filter(a -> a.severity() == Severity.CRITICAL && first(a) <= cell.forward())
            .toList();
    Optional<Anomaly> same = bad.stream().filter(a -> first(a) == cell.forward()).findFirst();
    if (same.isPresent()) {
      return Optional.of(
          cause(cell, Cause.PROPAGATED, "which was bad itself: " + same.get().message()));
    }
    // Of an anomaly that goes on only the first pass is known: no telling whether this one was bad.
    return bad.isEmpty()
        ? Optional.of(cause(cell, Cause.POISONED_KV, "in which nothing bad was seen"))
        : Optional.empty();
  }

  private static int first(Anomaly anomaly) {
    return Objects.requireNonNullElse(anomaly.forward(), Integer.MAX_VALUE);
  }

  private static RootCause cause(PoisonedCell cell, Cause cause, String why) {
    String message =
        "cell %d of %s holds a bad value: position %d, written in forward pass %d, %s"
            .formatted(cell.cell(), cell.tensor(), cell.position(), cell.forward(), why);
    return new RootCause(
        cell.tensor(),
        "NONE",
        cell.layer(),
        cell.position(),
        cause,
        null,
        null,
        null,
        null,
        null,
        List.of(),
        message,
        List.of());
  }

  private static Anomaly anomaly(PoisonedCell cell) {
    boolean nan = cell.stats().nan() > 0;
    Site site = cell.part() == CacheStatistics.Kind.K ? Site.KEY_CACHE : Site.VALUE_CACHE;
    String message =
        "%s, cell %d, position %d of sequence %s: %d of %d values are %s"
            .formatted(
                cell.tensor(),
                cell.cell(),
                cell.position(),
                cell.sequences().size() == 1 ? cell.sequences().getFirst() : cell.sequences(),
                nan ? cell.stats().nan() : cell.stats().inf(),
                cell.stats().count(),
                nan ? "NaN" : "infinite");
    return Anomaly.of(nan ? AnomalyKind.NAN : AnomalyKind.INF, message)
        .place(new Place(site, cell.layer()))
        .tensor(cell.tensor(), null)
        .forward(cell.forward())
        .position(cell.position())
        .stats(cell.stats())
        .build();
  }
}
