package org.modeltracer.trace;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.ActivationRules;
import org.modeltracer.anomaly.AnomalyKind;
import org.modeltracer.anomaly.Finding;
import org.modeltracer.anomaly.PlaceHistory;
import org.modeltracer.anomaly.Thresholds;
import org.modeltracer.model.Place;
import org.modeltracer.model.RunningStats;
import org.modeltracer.model.Site;

/** Statistics of every watched place, found by site and layer without allocating. */
final class Activations {
  private static final PlaceHistory NO_HISTORY = new PlaceHistory();
  private final Thresholds limits;
  private final Map<Site, @Nullable Cell[]> cells = new EnumMap<>(Site.class);

  private static final class Cell {
    final RunningStats aggregate = new RunningStats();
    final RunningStats first = new RunningStats();
    final RunningStats last = new RunningStats();
    final PlaceHistory history = new PlaceHistory();
    long observations;

    void accept(RunningStats stats, @Nullable Finding finding, Thresholds limits) {
      if (observations++ == 0) {
        first.merge(stats);
      }
      last.reset();
      last.merge(stats);
      aggregate.merge(stats);
      boolean exploded = finding != null && finding.kind() == AnomalyKind.EXPLOSION;
      if (!stats.bad() && !(exploded && history.established(limits))) {
        history.accept(stats);
      }
    }

    PlaceTrace trace() {
      return new PlaceTrace(
          observations,
          aggregate.snapshot(),
          first.snapshot(),
          last.snapshot(),
          aggregate.nan() + aggregate.inf() > 0
              ? Double.NaN
              : ActivationRules.headroom(aggregate.absMax()));
    }
  }

  Activations(Thresholds limits) {
    this.limits = limits;
    for (Site site : Site.values()) {
      cells.put(site, new Cell[0]);
    }
  }

  /** Judges and counts a tensor. One head's or expert's part is judged only: it has no history. */
  @Nullable Finding record(Observation seen) {
    Place place = seen.place();
    RunningStats stats = seen.stats();
    if (seen.head() >= 0 || seen.expert() >= 0) {
      Finding dead =
          seen.head() >= 0 && place.site() == Site.CONTEXT
              ? ActivationRules.judgeHead(stats)
              : null;
      return dead != null ? dead : ActivationRules.judge(place.site(), stats, NO_HISTORY, limits);
    }
    Cell cell = cell(place);
    Finding finding = ActivationRules.judge(place.site(), stats, cell.history, limits);
    cell.accept(stats, finding, limits);
    return finding;
  }

  private Cell cell(Place place) {
    @Nullable Cell[] row = row(place.site());
    int index = index(place.layer());
    if (index >= row.length) {
      row = Arrays.copyOf(row, index + 1);
      cells.put(place.site(), row);
    }
    Cell cell = row[index];
    if (cell == null) {
      cell = new Cell();
      row[index] = cell;
    }
    return cell;
  }

  private @Nullable Cell[] row(Site site) {
    return Objects.requireNonNull(cells.get(site));
  }

  /** What belongs to no layer comes first, then the embedding, then the layers. */
  private static int index(int layer) {
    return layer == Place.AFTER_LAYERS ? 0 : layer - Place.BEFORE_LAYERS + 1;
  }

  /** What was seen at a place, or null. */
  @Nullable PlaceTrace trace(Site site, int layer) {
    @Nullable Cell[] row = row(site);
    Cell cell = index(layer) < row.length ? row[index(layer)] : null;
    return cell == null ? null : cell.trace();
  }

  /** Number of numbered layers in which anything was seen, counting up to the highest. */
  int layers() {
    int longest = 0;
    for (@Nullable Cell[] row : cells.values()) {
      longest = Math.max(longest, row.length);
    }
    return Math.max(0, longest - index(0));
  }

  /** Every place with what was seen there, by site, then by layer. */
  List<ObservedPlace> places() {
    List<ObservedPlace> list = new ArrayList<>();
    for (Site site : Site.values()) {
      for (int layer = Place.BEFORE_LAYERS; layer < layers(); layer++) {
        add(list, site, layer);
      }
      add(list, site, Place.AFTER_LAYERS);
    }
    return list;
  }

  private void add(List<ObservedPlace> list, Site site, int layer) {
    PlaceTrace trace = trace(site, layer);
    if (trace != null) {
      list.add(ObservedPlace.of(new Place(site, layer), trace));
    }
  }
}
