package org.modeltracer.trace;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.anomaly.AnomalyKind;
import org.modeltracer.anomaly.RootCause;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.model.Site;

/**
 * All anomalies of a run in constant memory.
 *
 * <p>What occurs again, the same kind and severity at the same place, is only counted. When the
 * list is full, new ones are counted by kind but not kept.
 */
final class AnomalyBook {
  /** Distinct anomalies kept. */
  static final int CAPACITY = 1000;

  private final Map<Key, Entry> entries = new HashMap<>();
  private final List<Entry> list = new ArrayList<>();
  private final Map<AnomalyKind, Long> byKind = new EnumMap<>(AnomalyKind.class);
  private final Map<Severity, Long> bySeverity = new EnumMap<>(Severity.class);
  private long total;
  private long unlisted;
  private boolean fresh;

  private record Key(
      AnomalyKind kind,
      Severity severity,
      @Nullable Site site,
      @Nullable Integer layer,
      @Nullable Integer head,
      @Nullable Integer expert,
      @Nullable String tensor) {
    /** Bad rows count by layer, not by head: one NaN upstream makes the rows of all heads bad. */
    static Key of(Anomaly a) {
      boolean row =
          switch (a.kind()) {
            case NAN, MASKED_ROW, ROW_SUM -> a.site() == Site.ATTENTION;
            default -> false;
          };
      return new Key(
          a.kind(),
          a.severity(),
          a.site(),
          a.layer(),
          row ? null : a.head(),
          a.expert(),
          a.tensor());
    }
  }

  private static final class Entry {
    final Anomaly first;
    long repeats;
    @Nullable RootCause rootCause;

    Entry(Anomaly first) {
      this.first = first;
      rootCause = first.rootCause();
    }

    Anomaly now() {
      return first.with(first.id(), repeats, rootCause);
    }
  }

  /** Counts an anomaly; returns its first occurrence, numbered, or itself when the list is full. */
  Anomaly add(Anomaly anomaly) {
    total++;
    byKind.merge(anomaly.kind(), 1L, Long::sum);
    bySeverity.merge(anomaly.severity(), 1L, Long::sum);
    Key key = Key.of(anomaly);
    Entry known = entries.get(key);
    fresh = known == null && list.size() < CAPACITY;
    if (known != null) {
      known.repeats++;
      return known.first;
    }
    if (!fresh) {
      unlisted++;
      return anomaly;
    }
    Entry entry = new Entry(anomaly.with(list.size() + 1, 0, anomaly.rootCause()));
    entries.put(key, entry);
    list.add(entry);
    return entry.first;
  }

  /** Whether the anomaly added last is kept and was not known before. */
  boolean fresh() {
    return fresh;
  }

  /** Attaches a root cause; returns the anomaly with it, or null when there is no such number. */
  @Nullable Anomaly attach(int id, RootCause cause) {
    if (id < 1 || id > list.size()) {
      return null;
    }
    Entry entry = list.get(id - 1);
    entry.rootCause = cause;
    return entry.now();
  }

  /** Kept anomalies with their repeats and root causes, in order of first occurrence. */
  List<Anomaly> all() {
    return list.stream().map(Entry::now).toList();
  }

  /** Occurrences, repeats included. */
  long total() {
    return total;
  }

  /** Occurrences in a layer among those kept. */
  long inLayer(int layer) {
    return list.stream()
        .filter(e -> e.first.layer() != null && e.first.layer() == layer)
        .mapToLong(e -> 1 + e.repeats)
        .sum();
  }

  AnomalySummary summary() {
    return new AnomalySummary(total, list.size(), unlisted, bySeverity, byKind, all());
  }
}
