package org.modeltracer.attention.report;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.modeltracer.attention.LayerMeans;

/**
 * The rollout of one position, layer by layer: what goes into a token above a layer comes out of it
 * below, as much, and all of it together is 1.
 *
 * <p>Above the last layer all is at the target; a layer hands what is at position i on to each j in
 * the share Â[i, j]. Below the first layer that makes the target's row of the rollout. Abnar and
 * Zuidema 2020.
 *
 * @param target the position that all of it ends in
 * @param positions those that are told apart, ascending; the others are taken together
 * @param layers the first layer with attention first
 */
public record TokenFlow(int target, List<Integer> positions, List<Layer> layers) {
  /** Positions beside the target that are told apart, at most. */
  private static final int APART = 8;

  /**
   * What goes through one layer.
   *
   * @param links by {@code from} and then {@code to}, the others last; nothing is left out
   */
  public record Layer(int layer, List<Link> links) {}

  /**
   * What goes from one token to another, or stays.
   *
   * @param from position below the layer, null for the others
   * @param to position above it, null for the others
   * @param share of all that ends in the target, above 0
   */
  public record Link(@Nullable Integer from, @Nullable Integer to, double share) {}

  /**
   * Between two positions told apart, by their places among them; the last place is the others'.
   */
  private record Between(int from, int to) {}

  static TokenFlow to(int target, LayerMeans means) {
    int depth = means.depth();
    double[][] at = new double[depth + 1][];
    at[depth] = new double[target + 1];
    at[depth][target] = 1;
    for (int d = depth - 1; d >= 0; d--) {
      double[] below = {};
      for (int i = 0; i < at[d + 1].length; i++) {
        if (at[d + 1][i] > 0) {
          double[] row = means.mixed(d, i);
          below = row.length > below.length ? Arrays.copyOf(below, row.length) : below;
          for (int j = 0; j < row.length; j++) {
            below[j] += at[d + 1][i] * row[j];
          }
        }
      }
      at[d] = below;
    }
    int[] apart = apart(at, target);
    var layers = new ArrayList<Layer>();
    for (int d = 0; d < depth; d++) {
      layers.add(new Layer(means.index(d), links(means, d, at[d + 1], apart)));
    }
    return new TokenFlow(target, Arrays.stream(apart).boxed().toList(), List.copyOf(layers));
  }

  /** The target, and what carries most over all layers. */
  private static int[] apart(double[][] at, int target) {
    int n = Arrays.stream(at).mapToInt(all -> all.length).max().orElse(0);
    double[] carried = new double[n];
    for (double[] all : at) {
      for (int i = 0; i < all.length; i++) {
        carried[i] += all[i];
      }
    }
    return IntStream.concat(
            IntStream.of(target),
            IntStream.range(0, n)
                .filter(i -> i != target && carried[i] > 0)
                .boxed()
                .sorted(Comparator.comparingDouble((Integer i) -> -carried[i]))
                .limit(APART)
                .mapToInt(Integer::intValue))
        .sorted()
        .toArray();
  }

  private static List<Link> links(LayerMeans means, int d, double[] above, int[] apart) {
    var order = Comparator.comparingInt(Between::from).thenComparingInt(Between::to);
    var shares = new TreeMap<Between, Double>(order);
    for (int i = 0; i < above.length; i++) {
      if (above[i] > 0) {
        double[] row = means.mixed(d, i);
        for (int j = 0; j < row.length; j++) {
          if (row[j] > 0) {
            var between = new Between(place(apart, j), place(apart, i));
            shares.merge(between, above[i] * row[j], Double::sum);
          }
        }
      }
    }
    var links = new ArrayList<Link>();
    shares.forEach(
        (between, share) ->
            links.add(new Link(name(apart, between.from()), name(apart, between.to()), share)));
    return List.copyOf(links);
  }

  private static int place(int[] apart, int position) {
    int place = Arrays.binarySearch(apart, position);
    return place < 0 ? apart.length : place;
  }

  private static @Nullable Integer name(int[] apart, int place) {
    return place < apart.length ? (Integer) apart[place] : null;
  }
}
