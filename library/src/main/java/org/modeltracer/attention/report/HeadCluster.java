package org.modeltracer.attention.report;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.modeltracer.model.HeadId;

/**
 * Heads that attend alike.
 *
 * @param clusterId number from 0, by first member
 * @param heads its members
 * @param centroidPattern mean share of mass at distance 0, 1, 2–3, 4–7, 8–15, … over the members
 * @param cohesion mean silhouette of its members in [−1, 1]
 * @param specialization the members' most frequent label, null when none has one
 * @param rows sampled rows behind the distances
 */
public record HeadCluster(
    int clusterId,
    List<HeadId> heads,
    List<Double> centroidPattern,
    double cohesion,
    @Nullable HeadSpecializationType specialization,
    int rows) {
  private static final int MOST_CLUSTERS = 16;

  /**
   * Average-linkage clusters; their number is the one, from 2 to 16, with the largest mean
   * silhouette. None where that is below 0.25, as it is with random heads, nor of fewer than 3.
   */
  static List<HeadCluster> of(List<LabelledHead> labelled, HeadDistances distances) {
    List<LabelledHead> heads = distances.compared(labelled);
    int n = heads.size();
    if (n < 3) {
      return List.of();
    }
    var best = Partition.bySilhouette(distances.divergence(), MOST_CLUSTERS);
    if (best.mean() < Partition.STRUCTURE) {
      return List.of();
    }
    var clusters = new ArrayList<HeadCluster>();
    for (int c = 0; c < best.count(); c++) {
      int id = c;
      int[] members = IntStream.range(0, n).filter(i -> best.clusters()[i] == id).toArray();
      double cohesion = 0;
      for (int i : members) cohesion += best.silhouettes()[i];
      clusters.add(
          cluster(
              id,
              Arrays.stream(members).mapToObj(heads::get).toList(),
              cohesion / members.length,
              distances.rows()));
    }
    return clusters;
  }

  private static HeadCluster cluster(
      int id, List<LabelledHead> members, double cohesion, int rows) {
    var votes = new EnumMap<HeadSpecializationType, Integer>(HeadSpecializationType.class);
    double[] centroid = {};
    for (LabelledHead head : members) {
      HeadSpecializationType label = head.label();
      if (label != null) votes.merge(label, 1, Integer::sum);
      double[] shares = logShares(head.collected().positions().massByDistance());
      if (shares.length > centroid.length) centroid = Arrays.copyOf(centroid, shares.length);
      for (int b = 0; b < shares.length; b++) centroid[b] += shares[b];
    }
    return new HeadCluster(
        id,
        members.stream().map(LabelledHead::id).toList(),
        Arrays.stream(centroid).mapToObj(share -> share / members.size()).toList(),
        cohesion,
        votes.entrySet().stream()
            .max(Map.Entry.comparingByValue())
            .map(Map.Entry::getKey)
            .orElse(null),
        rows);
  }

  /** Share of mass at distance 0, 1, 2–3, 4–7, …, up to the farthest with any. */
  private static double[] logShares(double[] byDistance) {
    double[] bins = new double[33];
    double total = 0;
    int used = 0;
    for (int d = 0; d < byDistance.length; d++) {
      int bin = 32 - Integer.numberOfLeadingZeros(d);
      bins[bin] += byDistance[d];
      total += byDistance[d];
      if (byDistance[d] > 0) used = bin + 1;
    }
    double[] shares = Arrays.copyOf(bins, used);
    for (int b = 0; b < used; b++) shares[b] /= total;
    return shares;
  }
}
