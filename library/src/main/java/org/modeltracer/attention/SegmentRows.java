package org.modeltracer.attention;

import java.util.Arrays;

/**
 * The rows of a layer that see beyond their text segment, by group of segments and by how many keys
 * of their own segment they see.
 *
 * <p>Segments are spread over 64 groups by a hash, so that what heads gather of them stays small,
 * and samples of halves merge into that of the whole. All heads of a layer have the same rows:
 * those of one are counted.
 */
public final class SegmentRows {
  /** Number of groups. */
  public static final int GROUPS = 64;

  private final int[][] byKeys = new int[GROUPS][0];
  private int counted = -1;

  static int group(long seed, long prompt, int segment) {
    return (int) (QuerySample.hash(seed, prompt, segment) % GROUPS);
  }

  void add(int head, int group, int keys) {
    if (counted < 0) {
      counted = head;
    }
    if (head == counted) {
      if (byKeys[group].length <= keys) {
        byKeys[group] = Arrays.copyOf(byKeys[group], Math.max(16, 2 * keys));
      }
      byKeys[group][keys]++;
    }
  }

  SegmentRows merge(SegmentRows other) {
    counted = counted < 0 ? other.counted : counted;
    for (int g = 0; g < GROUPS; g++) {
      int[] theirs = other.byKeys[g];
      if (byKeys[g].length < theirs.length) {
        byKeys[g] = Arrays.copyOf(byKeys[g], theirs.length);
      }
      for (int keys = 0; keys < theirs.length; keys++) {
        byKeys[g][keys] += theirs[keys];
      }
    }
    return this;
  }

  /** Number of rows. */
  public long rows() {
    return Arrays.stream(byKeys).flatMapToInt(Arrays::stream).asLongStream().sum();
  }

  /** Rows of a group by the number of keys that they see of their own segment. */
  public int[] rows(int group) {
    return byKeys[group].clone();
  }
}
