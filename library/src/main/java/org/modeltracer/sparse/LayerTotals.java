package org.modeltracer.sparse;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.Finding;
import org.modeltracer.anomaly.IndexerRule;
import org.modeltracer.anomaly.Thresholds;

/** What is added up of one layer's queries; mergeable, bounded by the length of the context. */
final class LayerTotals {
  private static final int TENTHS = 10;
  private static final int BINS = 31;
  private static final int SINK = 4;
  private static final double FALL = 0.1;

  /** Scores that far apart are not those of an indexer alone. */
  private static final float FORCED = 1e6f;

  /** Powers of two that scores are multiplied by, from the least. */
  private static final int SCALES = 21;

  private static final int LEAST_SCALE = -10;

  /** Factors of two that scores must be away from the best ones, and how well they must rank. */
  private static final int LEAST_STEPS = 2;

  private static final double LEAST_AUC = 0.9;

  private final int layer;
  private final @Nullable String unreadable;
  private final boolean compressed;
  private final PortTrial trial = new PortTrial();
  private int topK;
  private long queries;
  private long exercised;
  private long measured;
  private final MeanSum recall = new MeanSum();
  private final MeanSum best = new MeanSum();
  private final MeanSum chance = new MeanSum();
  private final MeanSum recency = new MeanSum();
  private final MeanSum overlap = new MeanSum();
  private final MeanSum iou = new MeanSum();
  private final MeanSum auc = new MeanSum();
  private final MeanSum selectionAuc = new MeanSum();
  private final MeanSum[] divergence = MeanSum.several(SCALES);
  private final MeanSum selectedScore = new MeanSum();
  private final MeanSum unselectedScore = new MeanSum();
  private final MeanSum correlation = new MeanSum();
  private final MeanSum distance = new MeanSum();
  private final MeanSum recent = new MeanSum();
  private final MeanSum sink = new MeanSum();
  private final MeanSum[] scoreByKey = MeanSum.several(TENTHS);
  private final MeanSum[] selectedByKey = MeanSum.several(TENTHS);
  private final MeanSum[] recallByLength = MeanSum.several(BINS);
  private final MeanSum[] bestByLength = MeanSum.several(BINS);
  private final MeanSum[] chanceByLength = MeanSum.several(BINS);
  private final long[] distances = new long[BINS + 1];
  private final ScoreDistribution scores = new ScoreDistribution();
  private long[] selectedAt = {};
  private long[] seenAt = {};
  private ScoreDistribution[] headScores = {};
  private MeanSum[] headRecall = {};
  private double[] headMass = {};
  private final List<ContrastSum> contrasts = new ArrayList<>();
  private @Nullable MarkedQuery last;

  LayerTotals(int layer, boolean compressed, @Nullable String unreadable) {
    this.layer = layer;
    this.compressed = compressed;
    this.unreadable = unreadable;
  }

  PortTrial trial() {
    return trial;
  }

  void add(IndexedQuery q) {
    topK = Math.max(topK, q.k);
    queries++;
    for (int i = 0; i < q.keys; i++) {
      scores.add(q.scores[i]);
    }
    heads(q);
    if (!q.exercised()) {
      return;
    }
    exercised++;
    measured++;
    quality(q);
    selection(q);
    positions(q);
    last = MarkedQuery.of(q);
  }

  /** Adds a head's attention over all keys of a measured query. */
  void contrast(IndexedQuery query, int head, float[] weights) {
    contrast(head).add(query, weights);
  }

  private ContrastSum contrast(int head) {
    while (contrasts.size() <= head) {
      contrasts.add(new ContrastSum());
    }
    return contrasts.get(head);
  }

  /** Counts a query that is not measured. */
  void passOver(boolean tests) {
    queries++;
    exercised += tests ? 1 : 0;
  }

  /** Whether a layer selects so badly that it is to be reported. */
  @Nullable Finding judge(Thresholds limits) {
    PortDiagnosis diagnosis =
        measured < limits.indexerQueries() ? null : trial.diagnosis(false, recall.mean());
    return IndexerRule.judge(
        recall.count(),
        recall.orZero(),
        best.orZero(),
        chance.orZero(),
        diagnosis == null ? null : diagnosis.remedy(),
        limits);
  }

  private void quality(IndexedQuery q) {
    float[] attention = q.attention;
    if (attention == null) {
      selectionAuc.add(SelectionMeasure.auc(q.scores, q.selected, q.keys));
      return;
    }
    var measure = SelectionMeasure.of(attention, q.scores, q.selected, q.keys);
    recall.add(measure.recall());
    best.add(measure.best());
    chance.add(measure.chance());
    recency.add(measure.recency());
    overlap.add(measure.overlap());
    iou.add(measure.iou());
    auc.add(measure.auc());
    selectionAuc.add(measure.selectionAuc());
    boolean forced = forced(q);
    for (int s = 0; s < SCALES && !forced; s++) {
      double scale = Math.scalb(1.0, LEAST_SCALE + s);
      divergence[s].add(SelectionMeasure.divergence(attention, q.scores, q.keys, scale));
    }
    int bin = bin(q.keys);
    recallByLength[bin].add(measure.recall());
    bestByLength[bin].add(measure.best());
    chanceByLength[bin].add(measure.chance());
  }

  /** Whether something is added to the scores of keys that are always selected. */
  private static boolean forced(IndexedQuery q) {
    float most = Float.NEGATIVE_INFINITY;
    float least = Float.POSITIVE_INFINITY;
    for (int i = 0; i < q.keys; i++) {
      most = Math.max(most, q.scores[i]);
      least = Math.min(least, q.scores[i]);
    }
    return most - least > FORCED;
  }

  private static int bin(int n) {
    return Integer.SIZE - 1 - Integer.numberOfLeadingZeros(n);
  }

  private void selection(IndexedQuery q) {
    int most = q.positions[q.keys - 1] + 1;
    if (selectedAt.length < most) {
      selectedAt = Arrays.copyOf(selectedAt, Math.max(most, 2 * selectedAt.length));
      seenAt = Arrays.copyOf(seenAt, selectedAt.length);
    }
    for (int i = 0; i < q.keys; i++) {
      seenAt[q.positions[i]]++;
      selectedByKey[i * TENTHS / q.keys].add(q.selected[i] ? 1 : 0);
      if (!q.selected[i]) {
        unselectedScore.add(q.scores[i]);
        continue;
      }
      selectedAt[q.positions[i]]++;
      selectedScore.add(q.scores[i]);
      int far = Math.max(0, q.position - q.positions[i]);
      distance.add(far);
      distances[far == 0 ? 0 : bin(far) + 1]++;
      recent.add(i >= q.keys - q.k ? 1 : 0);
      sink.add(q.positions[i] < SINK ? 1 : 0);
    }
  }

  private void positions(IndexedQuery q) {
    double mean = 0;
    for (int i = 0; i < q.keys; i++) {
      mean += (double) q.scores[i] / q.keys;
    }
    double variance = 0;
    double covariance = 0;
    double spread = 0;
    double middle = (q.keys - 1) / 2.0;
    for (int i = 0; i < q.keys; i++) {
      double off = q.scores[i] - mean;
      variance += off * off / q.keys;
      covariance += off * (i - middle) / q.keys;
      spread += (i - middle) * (i - middle) / q.keys;
    }
    if (variance == 0) {
      return;
    }
    correlation.add(covariance / Math.sqrt(variance * spread));
    for (int i = 0; i < q.keys; i++) {
      scoreByKey[i * TENTHS / q.keys].add((q.scores[i] - mean) / Math.sqrt(variance));
    }
  }

  private void heads(IndexedQuery q) {
    int n = q.headScores.length;
    if (headScores.length < n) {
      headScores = new ScoreDistribution[n];
      Arrays.setAll(headScores, h -> new ScoreDistribution());
      headRecall = MeanSum.several(n);
      headMass = new double[n];
    }
    for (int h = 0; h < n; h++) {
      float[] line = q.headScores[h];
      for (int i = 0; i < q.keys; i++) {
        headScores[h].add(line[i]);
        headMass[h] += Math.abs(line[i]);
      }
      if (q.exercised() && q.attention != null) {
        headRecall[h].add(SelectionMeasure.mass(q.attention, line, q.keys, q.k));
      }
    }
  }

  void merge(LayerTotals other) {
    topK = Math.max(topK, other.topK);
    queries += other.queries;
    exercised += other.exercised;
    measured += other.measured;
    List<MeanSum> mine = means();
    List<MeanSum> theirs = other.means();
    for (int i = 0; i < mine.size(); i++) {
      mine.get(i).merge(theirs.get(i));
    }
    scores.merge(other.scores);
    trial.merge(other.trial);
    last = other.last == null ? last : other.last;
    for (int h = 0; h < other.contrasts.size(); h++) {
      contrast(h).merge(other.contrasts.get(h));
    }
    for (int i = 0; i < distances.length; i++) {
      distances[i] += other.distances[i];
    }
    int most = Math.max(selectedAt.length, other.selectedAt.length);
    selectedAt = Arrays.copyOf(selectedAt, most);
    seenAt = Arrays.copyOf(seenAt, most);
    for (int p = 0; p < other.selectedAt.length; p++) {
      selectedAt[p] += other.selectedAt[p];
      seenAt[p] += other.seenAt[p];
    }
    if (headScores.length == 0) {
      headScores = new ScoreDistribution[other.headScores.length];
      Arrays.setAll(headScores, h -> new ScoreDistribution());
      headRecall = MeanSum.several(headScores.length);
      headMass = new double[headScores.length];
    }
    for (int h = 0; h < other.headScores.length; h++) {
      headScores[h].merge(other.headScores[h]);
      headRecall[h].merge(other.headRecall[h]);
      headMass[h] += other.headMass[h];
    }
  }

  private List<MeanSum> means() {
    var all =
        new ArrayList<>(
            List.of(
                recall,
                best,
                chance,
                recency,
                overlap,
                iou,
                auc,
                selectionAuc,
                selectedScore,
                unselectedScore,
                correlation,
                distance,
                recent,
                sink));
    for (MeanSum[] group :
        List.of(
            divergence, scoreByKey, selectedByKey, recallByLength, bestByLength, chanceByLength)) {
      all.addAll(List.of(group));
    }
    return all;
  }

  IndexedLayer report() {
    Double mass = recall.mean();
    int scaled = leastDivergence();
    return new IndexedLayer(
        layer,
        compressed,
        topK,
        queries,
        exercised,
        measured,
        mass,
        recall.min(),
        best.mean(),
        chance.mean(),
        recency.mean(),
        over(mass, chance.mean()),
        over(mass, recency.mean()),
        overlap.mean(),
        iou.mean(),
        auc.mean(),
        selectionAuc.mean(),
        divergence[-LEAST_SCALE].mean(),
        divergence[scaled].count() == 0 ? null : Math.scalb(1.0, LEAST_SCALE + scaled),
        divergence[scaled].mean(),
        scores.summary(),
        selectedScore.mean(),
        unselectedScore.mean(),
        correlation.mean(),
        measured == 0 ? new double[0] : values(scoreByKey),
        measured == 0 ? new double[0] : values(selectedByKey),
        lengths(),
        fallsFrom(lengths()),
        distance.mean(),
        shares(),
        recent.mean(),
        sink.mean(),
        frequency(),
        headReports(),
        IntStream.range(0, contrasts.size()).mapToObj(h -> contrast(h).report(h)).toList(),
        last,
        trial.diagnosis(scaleIsOff(scaled), mass),
        unreadable);
  }

  private boolean scaleIsOff(int scaled) {
    Double ranks = auc.mean();
    return ranks != null
        && ranks >= LEAST_AUC
        && Math.abs(LEAST_SCALE + scaled) >= LEAST_STEPS
        && divergence[-LEAST_SCALE].orZero() > 2 * divergence[scaled].orZero();
  }

  private int leastDivergence() {
    int least = -LEAST_SCALE;
    for (int s = 0; s < SCALES; s++) {
      least = divergence[s].orZero() < divergence[least].orZero() ? s : least;
    }
    return least;
  }

  private static @Nullable Double over(@Nullable Double a, @Nullable Double b) {
    return a == null || b == null || b == 0 ? null : a / b;
  }

  private static double[] values(MeanSum[] sums) {
    return Arrays.stream(sums).mapToDouble(MeanSum::orZero).toArray();
  }

  private List<LengthBin> lengths() {
    var bins = new ArrayList<LengthBin>();
    for (int b = 0; b < BINS; b++) {
      if (recallByLength[b].count() > 0) {
        bins.add(
            new LengthBin(
                1 << b,
                (int) ((1L << b + 1) - 1),
                recallByLength[b].count(),
                recallByLength[b].orZero(),
                bestByLength[b].orZero(),
                chanceByLength[b].orZero()));
      }
    }
    return bins;
  }

  private static @Nullable Integer fallsFrom(List<LengthBin> bins) {
    Integer from = null;
    for (int i = bins.size() - 1; i > 0; i--) {
      if (bins.get(i).reached() > bins.getFirst().reached() - FALL) {
        break;
      }
      from = bins.get(i).from();
    }
    return from;
  }

  private double[] shares() {
    long all = Arrays.stream(distances).sum();
    int last = distances.length;
    while (last > 0 && distances[last - 1] == 0) {
      last--;
    }
    return Arrays.stream(distances, 0, last).mapToDouble(d -> (double) d / all).toArray();
  }

  private double[] frequency() {
    int last = seenAt.length;
    while (last > 0 && seenAt[last - 1] == 0) {
      last--;
    }
    var shares = new double[last];
    for (int p = 0; p < last; p++) {
      shares[p] = seenAt[p] == 0 ? Double.NaN : (double) selectedAt[p] / seenAt[p];
    }
    return shares;
  }

  private List<IndexHead> headReports() {
    double all = Arrays.stream(headMass).sum();
    var heads = new ArrayList<IndexHead>();
    for (int h = 0; h < headScores.length; h++) {
      heads.add(
          new IndexHead(
              h, headScores[h].summary(), all == 0 ? 0 : headMass[h] / all, headRecall[h].mean()));
    }
    return heads;
  }
}
