package org.modeltracer.sparse;

import java.util.Arrays;

/** A head's attention added up, over all keys and over selected ones. */
final class ContrastSum {
  private static final int BINS = 32;
  private static final int SINK = 4;

  private final MeanSum recall = new MeanSum();
  private final MeanSum entropy = new MeanSum();
  private final MeanSum entropySelected = new MeanSum();
  private final MeanSum sink = new MeanSum();
  private final MeanSum sinkSelected = new MeanSum();
  private final double[] profile = new double[BINS];
  private final double[] profileSelected = new double[BINS];
  private final double[] row = new double[BINS];
  private long selections;

  /**
   * Adds a query whose keys may be selected.
   *
   * @param weights over the keys in the order of their positions, which sum to 1
   */
  void add(IndexedQuery query, float[] weights) {
    double mass = all(query.positions, weights, query.keys, query.position);
    double selected = 0;
    for (int i = 0; i < query.keys; i++) {
      selected += query.selected[i] ? weights[i] : 0;
    }
    recall.add(selected / mass);
    if (selected == 0) {
      return;
    }
    selections++;
    Arrays.fill(row, 0);
    double first = 0;
    double nats = 0;
    for (int i = 0; i < query.keys; i++) {
      if (query.selected[i] && weights[i] > 0) {
        double share = weights[i] / selected;
        nats -= share * Math.log(share);
        first += query.positions[i] < SINK ? share : 0;
        row[bin(query.position - query.positions[i])] += share;
      }
    }
    entropySelected.add(nats);
    sinkSelected.add(first);
    add(row, profileSelected);
  }

  /**
   * Adds a query that sees what it sees.
   *
   * @param positions of its keys
   * @return the sum of its weights
   */
  double all(int[] positions, float[] weights, int n, int query) {
    double mass = 0;
    for (int i = 0; i < n; i++) {
      mass += weights[i];
    }
    Arrays.fill(row, 0);
    double first = 0;
    double nats = 0;
    for (int i = 0; i < n; i++) {
      if (weights[i] > 0) {
        double share = weights[i] / mass;
        nats -= share * Math.log(share);
        first += positions[i] < SINK ? share : 0;
        row[bin(query - positions[i])] += share;
      }
    }
    entropy.add(nats);
    sink.add(first);
    add(row, profile);
    return mass;
  }

  private static int bin(int distance) {
    return distance <= 0 ? 0 : Integer.SIZE - Integer.numberOfLeadingZeros(distance);
  }

  private static void add(double[] from, double[] to) {
    for (int i = 0; i < BINS; i++) {
      to[i] += from[i];
    }
  }

  void merge(ContrastSum other) {
    recall.merge(other.recall);
    entropy.merge(other.entropy);
    entropySelected.merge(other.entropySelected);
    sink.merge(other.sink);
    sinkSelected.merge(other.sinkSelected);
    add(other.profile, profile);
    add(other.profileSelected, profileSelected);
    selections += other.selections;
  }

  HeadContrast report(int head) {
    double[] all = means(profile, entropy.count());
    double[] selected = selections == 0 ? null : means(profileSelected, selections);
    return new HeadContrast(
        head,
        entropy.count(),
        recall.mean(),
        entropy.mean(),
        entropySelected.mean(),
        sink.mean(),
        sinkSelected.mean(),
        all,
        selected,
        selected == null ? null : HeadContrast.variation(all, selected));
  }

  private static double[] means(double[] sums, long count) {
    int last = BINS;
    while (last > 0 && sums[last - 1] == 0) {
      last--;
    }
    return Arrays.stream(sums, 0, last).map(sum -> sum / count).toArray();
  }
}
