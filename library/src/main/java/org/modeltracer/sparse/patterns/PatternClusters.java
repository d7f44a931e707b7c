package org.modeltracer.sparse.patterns;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.modeltracer.attention.Measure;
import org.modeltracer.attention.report.PairValues;
import org.modeltracer.attention.report.Partition;

/**
 * Heads in clusters, by features that are scaled to mean 0 and standard deviation 1.
 *
 * <p>The number is given, or the one with the largest mean silhouette. Outliers alone can make a
 * silhouette large, so that it has to be larger than those of heads whose features are shuffled,
 * each feature by itself.
 *
 * @param partition of the heads
 * @param chance share of shuffles, and this, with as large a mean silhouette; null where a number
 *     was given
 */
record PatternClusters(Partition partition, @Nullable Double chance) {
  /** Heads, at most, that are compared, at a float for each pair. */
  static final int MOST_HEADS = 4096;

  /** The chance above which clusters are not believed: none of the shuffles may do as well. */
  static final double CHANCE = 0.05;

  private static final int MOST_CLUSTERS = 16;
  private static final int SHUFFLES = 19;

  /** A feature that differs less tells nothing; scaled up it would. */
  private static final double LEAST_DEVIATION = 0.05;

  /** Clusters of heads, at least 3, by features {@code [head][feature]}; so many where not 0. */
  static PatternClusters of(double[][] features, int given) {
    double[][] scaled = scaled(features);
    PairValues distances = distances(scaled);
    if (given > 0) {
      return new PatternClusters(Partition.into(distances, given), null);
    }
    Partition found = Partition.bySilhouette(distances, MOST_CLUSTERS);
    int asClear = 1;
    for (int s = 0; s < SHUFFLES; s++) {
      PairValues shuffled = distances(shuffled(scaled, s));
      asClear += Partition.bySilhouette(shuffled, MOST_CLUSTERS).mean() >= found.mean() ? 1 : 0;
    }
    return new PatternClusters(found, asClear / (SHUFFLES + 1.0));
  }

  /** Whether there is something to be told apart. */
  boolean believed() {
    return chance == null || (chance <= CHANCE && partition.mean() >= Partition.STRUCTURE);
  }

  /** Members of a cluster. */
  int[] members(int cluster) {
    return IntStream.range(0, partition.clusters().length)
        .filter(i -> partition.clusters()[i] == cluster)
        .toArray();
  }

  /** The clusters, told of. */
  static List<PatternCluster> told(
      PatternClusters clusters, List<HeadPattern> heads, List<KindSums> tokens) {
    var told = new ArrayList<PatternCluster>();
    for (int c = 0; c < clusters.partition.count(); c++) {
      int[] members = clusters.members(c);
      List<HeadPattern> alike = IntStream.of(members).mapToObj(heads::get).toList();
      double cohesion =
          IntStream.of(members)
              .mapToDouble(i -> clusters.partition.silhouettes()[i])
              .average()
              .orElse(0);
      double[] mean = new double[PatternFeatures.of(alike.getFirst()).values().length];
      for (HeadPattern head : alike) {
        double[] values = PatternFeatures.of(head).values();
        for (int f = 0; f < mean.length; f++) {
          mean[f] += values[f] / alike.size();
        }
      }
      told.add(
          new PatternCluster(
              c,
              alike.stream().map(HeadPattern::id).toList(),
              mostFrequent(alike),
              cohesion,
              PatternFeatures.of(mean),
              KindLift.of(IntStream.of(members).mapToObj(tokens::get).toList())));
    }
    return List.copyOf(told);
  }

  private static @Nullable PatternKind mostFrequent(List<HeadPattern> heads) {
    var votes = new EnumMap<PatternKind, Integer>(PatternKind.class);
    for (HeadPattern head : heads) {
      PatternKind kind = head.kind();
      if (kind != null) {
        votes.merge(kind, 1, Integer::sum);
      }
    }
    return votes.entrySet().stream()
        .max(Map.Entry.comparingByValue())
        .map(Map.Entry::getKey)
        .orElse(null);
  }

  private static double[][] scaled(double[][] features) {
    int heads = features.length;
    double[][] scaled = new double[heads][features[0].length];
    for (int f = 0; f < features[0].length; f++) {
      double sum = 0;
      double squares = 0;
      for (double[] head : features) {
        sum += head[f];
        squares += head[f] * head[f];
      }
      Measure all = Measure.of(heads, sum, squares);
      for (int h = 0; h < heads && all.std() >= LEAST_DEVIATION; h++) {
        scaled[h][f] = (features[h][f] - all.mean()) / all.std();
      }
    }
    return scaled;
  }

  private static PairValues distances(double[][] scaled) {
    var distances = new PairValues(scaled.length);
    for (int a = 0; a < scaled.length; a++) {
      for (int b = 0; b < a; b++) {
        double squares = 0;
        for (int f = 0; f < scaled[a].length; f++) {
          double apart = scaled[a][f] - scaled[b][f];
          squares += apart * apart;
        }
        distances.set(a, b, Math.sqrt(squares));
      }
    }
    return distances;
  }

  private static double[][] shuffled(double[][] scaled, long seed) {
    var random = new SplittableRandom(seed);
    int heads = scaled.length;
    double[][] mixed = new double[heads][scaled[0].length];
    for (int f = 0; f < scaled[0].length; f++) {
      for (int h = 0; h < heads; h++) {
        int other = random.nextInt(h + 1);
        mixed[h][f] = mixed[other][f];
        mixed[other][f] = scaled[h][f];
      }
    }
    return mixed;
  }
}
