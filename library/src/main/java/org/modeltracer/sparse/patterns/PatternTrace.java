package org.modeltracer.sparse.patterns;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Objects;
import java.util.TreeMap;
import org.modeltracer.attention.report.Chance;
import org.modeltracer.model.AttentionRow;
import org.modeltracer.model.HeadId;
import org.modeltracer.sparse.patterns.PatternReport.KindOfHead;
import org.modeltracer.sparse.patterns.PatternReport.LayerSavings;
import org.modeltracer.sparse.patterns.Savings.Selection;
import org.modeltracer.trace.TraceListener;

/**
 * Finds the patterns of every head's attention, as its rows stream.
 *
 * <p>Rows of sequence 0 that see at least 32 keys count: fewer need no sparsity, and near and far
 * are the same there. Weights count as shares of what keys have: what a learned sink takes belongs
 * to none. Memory grows with the length of the texts, never with their number: about 56 bytes a
 * head and position, and no more than 256 MiB in all; what lies farther is not told apart.
 */
public final class PatternTrace implements TraceListener {
  /** Keys that a row must see. */
  public static final int FEWEST_KEYS = 32;

  private static final double[] MASSES = {0.90, 0.95, 0.99};

  /** Which of the masses stands for all. */
  static final int USUAL_MASS = 1;

  private static final long MOST_BYTES = 256L << 20;
  private static final int BYTES = 56;

  /** As many as models of seven billion parameters have. */
  private static final int USUAL_HEADS = 1024;

  private final KeyCosts costs;
  private final int distances;
  private final NavigableMap<HeadId, Head> heads = new TreeMap<>();
  private final NavigableMap<HeadId, SharedKeys> groups = new TreeMap<>();
  private KeyTokens tokens = KeyTokens.unknown();
  private boolean readable;
  private long text;
  private float[] weights = {};
  private float[] sorted = {};

  private record Head(HeadSums sums, KindSums kinds) {}

  /** A trace without rows. */
  public PatternTrace(KeyCosts costs) {
    this.costs = costs;
    int known = costs.layers().values().stream().mapToInt(KeyCosts.Layer::heads).sum();
    int heads = known == 0 ? USUAL_HEADS : known;
    distances = Math.clamp(MOST_BYTES / BYTES / heads, 64, 1 << 20);
  }

  /** A text is about to run. */
  public void begin(KeyTokens ofText) {
    end();
    tokens = ofText;
    readable |= ofText.size() > 0;
    text++;
  }

  private void end() {
    for (Head head : heads.values()) {
      head.kinds.end(tokens, text);
      head.sums.blocks.begin();
    }
    groups.values().forEach(SharedKeys::finish);
    tokens = KeyTokens.unknown();
  }

  @Override
  public void onAttentionRow(AttentionRow row) {
    int n = row.size();
    double sum = row.sums().sum();
    if (row.sequence() != 0 || n < FEWEST_KEYS || !(sum > 0) || Double.isInfinite(sum)) {
      return;
    }
    if (weights.length < n) {
      weights = new float[2 * n];
      sorted = new float[2 * n];
    }
    for (int i = 0; i < n; i++) {
      weights[i] = (float) (row.weight(i) / sum);
    }
    Head head =
        heads.computeIfAbsent(
            new HeadId(row.layer(), row.head()),
            id -> new Head(new HeadSums(distances, MASSES.length), new KindSums(distances)));
    head.sums.add(row, weights);
    kinds(head.kinds, row);
    needed(head.sums, row);
  }

  private void kinds(KindSums kinds, AttentionRow row) {
    int n = row.size();
    int from = row.lower(HeadSums.FIRST);
    double rest = 0;
    for (int i = from; i < n; i++) {
      rest += weights[i];
    }
    double even = rest / Math.max(1, n - from);
    for (int i = from; i < n; i++) {
      kinds.add(row.key(i), weights[i], even);
    }
  }

  /** Counts the fewest keys for each mass, of the head and of those that share keys with it. */
  private void needed(HeadSums sums, AttentionRow row) {
    int n = row.size();
    System.arraycopy(weights, 0, sorted, 0, n);
    Arrays.sort(sorted, 0, n);
    SharedKeys group =
        groups.computeIfAbsent(group(row.layer(), row.head()), id -> new SharedKeys(MASSES.length));
    group.begin(row.query(), n);
    double mass = 0;
    int most = 0;
    for (int m = 0; m < MASSES.length; m++) {
      while (most < n && mass < MASSES[m]) {
        mass += sorted[n - ++most];
      }
      sums.needed[m] += most;
      float least = sorted[n - most];
      // Of equal weights, as many of the latest keys as make up the number.
      int left = most;
      for (int i = 0; i < n; i++) {
        if (weights[i] > least) {
          group.want(m, i);
          left--;
        }
      }
      for (int i = n - 1; left > 0; i--) {
        if (weights[i] == least) {
          group.want(m, i);
          left--;
        }
      }
    }
  }

  /** The KV head of a query head, by layer; where it is not known, the query head itself. */
  private HeadId group(int layer, int head) {
    KeyCosts.Layer of = costs.layers().get(layer);
    return new HeadId(layer, of == null ? head : of.group(head));
  }

  /**
   * What has been seen so far; the latest text has ended.
   *
   * @param clusters how many, or 0 for as many as the silhouette finds
   */
  public PatternReport report(int clusters) {
    end();
    var absent = new TreeMap<String, String>();
    Map<HeadId, FixedCurves> curves = new TreeMap<>();
    heads.forEach((id, head) -> curves.put(id, FixedCurves.of(head.sums)));
    List<HeadPattern> patterns =
        heads.entrySet().stream()
            .map(e -> pattern(e.getKey(), e.getValue().sums, curve(curves, e.getKey())))
            .toList();
    List<Integer> narrow =
        costs.layers().keySet().stream()
            .filter(layer -> heads.keySet().stream().noneMatch(id -> id.layer() == layer))
            .toList();
    if (patterns.isEmpty()) {
      absent.put("heads", "no query sees %d keys".formatted(FEWEST_KEYS));
    } else if (!narrow.isEmpty()) {
      absent.put("heads", "no query sees %d keys in layers %s".formatted(FEWEST_KEYS, narrow));
    }
    if (!readable) {
      absent.put("tokens", "the vocabulary has no texts");
    }
    List<KindSums> kinds = heads.values().stream().map(Head::kinds).toList();
    PatternClusters found = null;
    if (patterns.size() < 3) {
      absent.put("clusters", "fewer than 3 heads");
    } else if (patterns.size() > PatternClusters.MOST_HEADS) {
      absent.put("clusters", "more than %d heads".formatted(PatternClusters.MOST_HEADS));
    } else {
      found =
          PatternClusters.of(
              patterns.stream()
                  .map(head -> PatternFeatures.of(head).values())
                  .toArray(double[][]::new),
              clusters);
      if (!found.believed()) {
        absent.put("clusters", "no split of the heads is clearer than chance");
      }
    }
    return new PatternReport(
        patterns,
        kinds(patterns, kinds),
        found == null || !found.believed()
            ? List.of()
            : PatternClusters.told(found, patterns, kinds),
        found == null ? null : found.chance(),
        layers(curves),
        savings(List.copyOf(heads.keySet()), curves),
        absent);
  }

  private static HeadPattern pattern(HeadId id, HeadSums sums, FixedCurves curves) {
    PatternScores scores = HeadShape.of(sums);
    var efficiency = new ArrayList<Efficiency>();
    for (int m = 0; m < MASSES.length; m++) {
      efficiency.add(
          new Efficiency(
              MASSES[m],
              sums.needed[m] / sums.rows,
              sums.needed[m] / sums.visible,
              curves.keeping(MASSES[m])));
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

  private List<LayerSavings> layers(Map<HeadId, FixedCurves> curves) {
    var byLayer = new TreeMap<Integer, List<HeadId>>();
    heads
        .keySet()
        .forEach(id -> byLayer.computeIfAbsent(id.layer(), l -> new ArrayList<>()).add(id));
    var layers = new ArrayList<LayerSavings>();
    byLayer.forEach((layer, ids) -> layers.add(new LayerSavings(layer, savings(ids, curves))));
    return List.copyOf(layers);
  }

  private List<Savings> savings(List<HeadId> ids, Map<HeadId, FixedCurves> curves) {
    var sharing = new TreeMap<HeadId, List<HeadId>>();
    ids.forEach(
        id ->
            sharing.computeIfAbsent(group(id.layer(), id.head()), g -> new ArrayList<>()).add(id));
    var savings = new ArrayList<Savings>();
    for (int m = 0; m < MASSES.length; m++) {
      int mass = m;
      for (Selection selection : Selection.values()) {
        boolean best = selection == Selection.TOP_K;
        var sum = new SavingsSum(MASSES[m], selection);
        for (HeadId id : ids) {
          HeadSums of = sums(id);
          double kept = best ? of.needed[m] / of.rows : fewest(curve(curves, id), mass);
          sum.head((double) of.visible / of.rows, kept, costs.layers().get(id.layer()));
        }
        sharing.forEach(
            (group, members) -> {
              HeadSums of = sums(members.getFirst());
              SharedKeys keys = groups.getOrDefault(group, new SharedKeys(MASSES.length));
              var shared =
                  FixedCurves.shared(members.stream().map(id -> curve(curves, id)).toList());
              sum.group(
                  (double) of.visible / of.rows,
                  best ? keys.needed(mass) / of.rows : fewest(shared, mass),
                  costs.layers().get(group.layer()));
            });
        savings.add(sum.savings());
      }
    }
    return List.copyOf(savings);
  }

  private HeadSums sums(HeadId id) {
    return Objects.requireNonNull(heads.get(id)).sums;
  }

  private static FixedCurves curve(Map<HeadId, FixedCurves> curves, HeadId id) {
    return Objects.requireNonNull(curves.get(id));
  }

  /** Keys kept by the best fixed rule; all in sight where none keeps enough. */
  private static double fewest(FixedCurves curves, int mass) {
    return FixedCurves.fewest(curves.keeping(MASSES[mass]))
        .map(FixedPattern::keys)
        .orElse(curves.visible());
  }
}
