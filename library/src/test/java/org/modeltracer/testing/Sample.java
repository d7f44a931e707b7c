package org.modeltracer.testing;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;

/**
 * What tests run of many cases of one kind: a seeded sample, or all of them with {@code
 * -Dmodeltracer.tests=all}.
 */
public final class Sample {
  private static final long SEED = 20261126;
  private static final boolean ALL = "all".equals(System.getProperty("modeltracer.tests"));

  private Sample() {}

  /**
   * So many of the cases, in their order; the same ones in every run.
   *
   * @throws IllegalArgumentException when there are not even that many
   */
  public static <T> List<T> of(List<T> cases, int size) {
    if (size < 1 || cases.size() < size) {
      throw new IllegalArgumentException("a sample of %d of %d".formatted(size, cases.size()));
    }
    List<Integer> order = new ArrayList<>(IntStream.range(0, cases.size()).boxed().toList());
    Collections.shuffle(order, new Random(SEED));
    return order.stream().limit(ALL ? cases.size() : size).sorted().map(cases::get).toList();
  }

  /** How often to repeat something: {@code sample} times, or {@code all} times. */
  public static int times(int sample, int all) {
    return ALL ? all : sample;
  }
}
