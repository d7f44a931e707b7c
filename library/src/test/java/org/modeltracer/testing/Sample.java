package org.modeltracer.testing;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;

/**
 * How much of what repeats itself is run: a seeded part, or all of it with {@code
 * -Dmodeltracer.tests=all}.
 */
public final class Sample {
  private static final boolean ALL = "all".equals(System.getProperty("modeltracer.tests"));
  private static final long SEED = 20261126;

  private Sample() {}

  /** Some of a list, the same ones each time, in their order; all of it when all is asked for. */
  public static <T> List<T> of(List<T> all, int some) {
    if (ALL || all.size() <= some) {
      return all;
    }
    var numbers = new ArrayList<Integer>();
    for (int i = 0; i < all.size(); i++) {
      numbers.add(i);
    }
    Collections.shuffle(numbers, new Random(SEED));
    return numbers.subList(0, some).stream().sorted().map(all::get).toList();
  }

  /** One in so many is run; 1 when all is asked for. */
  public static int oneIn(int many) {
    return ALL ? 1 : many;
  }
}
