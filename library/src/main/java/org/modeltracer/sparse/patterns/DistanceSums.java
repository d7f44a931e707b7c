package org.modeltracer.sparse.patterns;

import java.util.Arrays;

/**
 * Sums by distance between query and key on one side of the queries; those on the first four
 * positions apart from all others. 40 bytes a distance.
 */
final class DistanceSums {
  private final int most;
  private int room;

  /** Mass on others than the first keys. */
  double[] rest = {};

  /** What that mass would be, were it spread evenly over the keys of its row. */
  double[] even = {};

  /** Mass of the rows that see a key so far. */
  double[] reach = {};

  /** Mass on the first keys. */
  double[] first = {};

  /** Keys seen, other than the first. */
  int[] restKeys = {};

  /** First keys seen. */
  int[] firstKeys = {};

  DistanceSums(int most) {
    this.most = most;
  }

  /** Makes room for a distance; false where it is beyond what is kept. */
  private boolean holds(int distance) {
    if (distance >= most) {
      return false;
    }
    if (distance >= room) {
      room = Math.min(most, Math.max(64, distance + distance / 2 + 1));
      rest = Arrays.copyOf(rest, room);
      even = Arrays.copyOf(even, room);
      reach = Arrays.copyOf(reach, room);
      first = Arrays.copyOf(first, room);
      restKeys = Arrays.copyOf(restKeys, room);
      firstKeys = Arrays.copyOf(firstKeys, room);
    }
    return true;
  }

  void first(int distance, double weight) {
    if (holds(distance)) {
      first[distance] += weight;
      firstKeys[distance]++;
    }
  }

  void rest(int distance, double weight, double evenly, double ofRow) {
    if (holds(distance)) {
      rest[distance] += weight;
      even[distance] += evenly;
      reach[distance] += ofRow;
      restKeys[distance]++;
    }
  }

  /** Distances with sums of their own. */
  int size() {
    return room;
  }
}
