package org.modeltracer.trace;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
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
  private static final Site[] SITES = Site.values();
  private static final PlaceHistory NO_HISTORY = new PlaceHistory();
  private final Thresholds limits;
  private final @Nullable Cell[][] cells = new Cell[SITES.length][0];
  private final @Nullable Cell[] afterLayers = new Cell[SITES.length];

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
          ActivationRules.headroom(aggregate.absMax()));
    }
  }

  Activations(Thresholds limits) {
    this.limits = limits;
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
    int site = place.site().ordinal();
    boolean after = place.layer() == Place.AFTER_LAYERS;
    int index = after ? site : place.layer() - Place.BEFORE_LAYERS;
    if (!after && index >= cells[site].length) {
      cells[site] = Arrays.copyOf(cells[site], index + 1);
    }
    @Nullable Cell[] row = after ? afterLayers : cells[site];
    Cell cell = row[index];
    if (cell == null) {
      row[index] = cell = new Cell();
    }
    return cell;
  }

  /** What was seen at a place, or null. */
  @Nullable PlaceTrace trace(Site site, int layer) {
    int index = layer - Place.BEFORE_LAYERS;
    Cell cell =
        layer == Place.AFTER_LAYERS
            ? afterLayers[site.ordinal()]
            : index < cells[site.ordinal()].length ? cells[site.ordinal()][index] : null;
    return cell == null ? null : cell.trace();
  }

  /** Number of numbered layers in which anything was seen, counting up to the highest. */
  int layers() {
    int layers = 0;
    for (@Nullable Cell[] row : cells) {
      layers = Math.max(layers, row.length + Place.BEFORE_LAYERS);
    }
    return layers;
  }

  /** Every place with what was seen there, by site, then by layer. */
  List<Map<String, @Nullable Object>> places() {
    List<Map<String, @Nullable Object>> list = new ArrayList<>();
    for (Site site : SITES) {
      for (int layer = Place.BEFORE_LAYERS; layer < layers(); layer++) {
        add(list, site, layer);
      }
      add(list, site, Place.AFTER_LAYERS);
    }
    return list;
  }

  private void add(List<Map<String, @Nullable Object>> list, Site site, int layer) {
    PlaceTrace trace = trace(site, layer);
    if (trace != null) {
      Map<String, @Nullable Object> object = new LinkedHashMap<>();
      object.put("site", site);
      object.put("layer", layer == Place.AFTER_LAYERS ? null : layer);
      object.put("stats", trace);
      list.add(object);
    }
  }
}
