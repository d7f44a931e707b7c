package org.modeltracer.sparse.patterns;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Objects;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.modeltracer.attention.report.Chance;
import org.modeltracer.model.HeadId;
import org.modeltracer.sparse.patterns.PatternReport.KindOfHead;
import org.modeltracer.sparse.patterns.PatternReport.LayerSavings;
import org.modeltracer.sparse.patterns.Savings.Selection;

/** What the sums of all heads say. */
final class PatternSummary {
  private static final int FEWEST_HEADS = 3;

  private final KeyCosts costs;
  private final NavigableMap<HeadId, TracedHead> heads;
  private final Map<HeadId, SharedKeys> shared;
  private final boolean readable;
  private final FixedRules rules;

  /** By KV head, the query heads that read its keys. */
  private final NavigableMap<HeadId, List<HeadId>> groups = new TreeMap<>();

  private final Map<String, String> absent = new TreeMap<>();

  /**
   * A summary.
   *
   * @param shared by KV head, what its query heads need together
   * @param readable whether some tokens' texts were known
   */
  PatternSummary(
      KeyCosts costs,
      NavigableMap<HeadId, TracedHead> heads,
      Map<HeadId, SharedKeys> shared,
      boolean readable) {
    this.costs = costs;
    this.heads = heads;
    this.shared = shared;
    this.readable = readable;
    for (HeadId id : heads.keySet()) {
      groups.computeIfAbsent(costs.group(id.layer(), id.head()), g -> new ArrayList<>()).add(id);
    }
    rules = FixedRules.of(heads, groups);
  }

  PatternReport report(int clusters) {
    List<HeadPattern> patterns =
        heads.entrySet().stream().map(e -> pattern(e.getKey(), e.getValue().sums())).toList();
    List<KindSums> kinds = heads.values().stream().map(TracedHead::kinds).toList();
    noteAbsent();
    PatternClusters found = clusters(patterns, clusters);
    return new PatternReport(
        patterns,
        kinds(patterns, kinds),
        found == null || !found.believed()
            ? List.of()
            : PatternClusters.told(found, patterns, kinds),
        found == null ? null : found.chance(),
        layers(),
        savings(heads, groups),
        absent);
  }

  private void noteAbsent() {
    List<Integer> narrow =
        costs.layers().keySet().stream()
            .filter(layer -> heads.keySet().stream().noneMatch(id -> id.layer() == layer))
            .toList();
    if (heads.isEmpty() || !narrow.isEmpty()) {
      absent.put(
          "heads",
          "no query sees %d keys".formatted(PatternTrace.FEWEST_KEYS)
              + (heads.isEmpty() ? "" : " in layers " + narrow));
    }
    if (!readable) {
      absent.put("tokens", "the vocabulary has no texts");
    }
  }

  private @Nullable PatternClusters clusters(List<HeadPattern> patterns, int given) {
    if (patterns.size() < FEWEST_HEADS || patterns.size() > PatternClusters.MOST_HEADS) {
      absent.put(
          "clusters",
          patterns.size() < FEWEST_HEADS
              ? "fewer than %d heads".formatted(FEWEST_HEADS)
              : "more than %d heads".formatted(PatternClusters.MOST_HEADS));
      return null;
    }
    PatternClusters found =
        PatternClusters.of(
            patterns.stream()
                .map(head -> PatternFeatures.of(head).values())
                .toArray(double[][]::new),
            given);
    if (!found.believed()) {
      absent.put("clusters", "no split of the heads is clearer than chance");
    }
    return found;
  }

  private HeadPattern pattern(HeadId id, HeadSums sums) {
    PatternScores scores = HeadShape.of(sums);
    var efficiency = new ArrayList<Efficiency>();
    for (int m = 0; m < PatternTrace.MASSES.length; m++) {
      efficiency.add(
          new Efficiency(
              PatternTrace.MASSES[m],
              sums.needed[m] / sums.rows,
              sums.needed[m] / sums.visible,
              rules.of(id, m)));
    }
    return new HeadPattern(
        id.layer(),
        id.head(),
        sums.rows,
        sums.rows < Chance.FEWEST_ROWS ? null : scores.kind(),
        scores,
        efficiency);
  }

  private static List<KindOfHead> kinds(List<HeadPattern> patterns, List<KindSums> sums) {
    Map<PatternKind, List<KindSums>> byKind = new EnumMap<>(PatternKind.class);
    for (int h = 0; h < patterns.size(); h++) {
      PatternKind kind = patterns.get(h).kind();
      if (kind != null) {
        byKind.computeIfAbsent(kind, k -> new ArrayList<>()).add(sums.get(h));
      }
    }
    var kinds = new ArrayList<KindOfHead>();
    byKind.forEach((kind, of) -> kinds.add(new KindOfHead(kind, of.size(), KindLift.of(of))));
    return List.copyOf(kinds);
  }

  private List<LayerSavings> layers() {
    return heads.keySet().stream()
        .map(HeadId::layer)
        .distinct()
        .map(
            layer -> {
              var first = new HeadId(layer, 0);
              var end = new HeadId(layer + 1, 0);
              return new LayerSavings(
                  layer, savings(heads.subMap(first, end), groups.subMap(first, end)));
            })
        .toList();
  }

  private List<Savings> savings(
      Map<HeadId, TracedHead> ofHeads, Map<HeadId, List<HeadId>> ofGroups) {
    var savings = new ArrayList<Savings>();
    for (int m = 0; m < PatternTrace.MASSES.length; m++) {
      int mass = m;
      for (Selection selection : Selection.values()) {
        var sum = new SavingsSum(PatternTrace.MASSES[m], selection);
        ofHeads.forEach((id, head) -> head(sum, selection, mass, id, head.sums()));
        ofGroups.forEach((id, members) -> group(sum, selection, mass, id, members.getFirst()));
        savings.add(sum.savings());
      }
    }
    return List.copyOf(savings);
  }

  private void head(SavingsSum sum, Selection selection, int m, HeadId id, HeadSums of) {
    double seen = (double) of.visible / of.rows;
    double keeps =
        switch (selection) {
          case TOP_K -> of.needed[m] / of.rows;
          case FIXED -> FixedRules.fewest(rules.of(id, m), seen);
        };
    sum.head(seen, keeps, costs.layers().get(id.layer()));
  }

  /** Adds a KV head; all of its query heads have the same rows. */
  private void group(SavingsSum sum, Selection selection, int m, HeadId group, HeadId member) {
    HeadSums of = Objects.requireNonNull(heads.get(member)).sums();
    double keeps =
        switch (selection) {
          case TOP_K -> Objects.requireNonNull(shared.get(group)).needed(m) / of.rows;
          case FIXED -> rules.fewest(group, m);
        };
    sum.group((double) of.visible / of.rows, keeps, costs.layers().get(group.layer()));
  }
}
