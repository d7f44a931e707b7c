package org.modeltracer.sparse;

import java.util.List;
import java.util.stream.DoubleStream;
import org.jspecify.annotations.Nullable;

/**
 * Prompts cut at a length, and what attention does there.
 *
 * @param length tokens that were read of each
 * @param prompts prompts that are so long
 * @param layers every layer that attends to selected keys; of a model without such, every layer
 */
public record LengthReport(int length, int prompts, List<Layer> layers) {
  /**
   * A layer; means over its measured queries, of a model that selects nothing over all.
   *
   * @param queries measured queries
   * @param recall attention mass that the selection covers, null where nothing is selected
   * @param best the most that as many keys could cover
   * @param overlap share of the selection that belongs to the best one
   * @param entropy entropy of attention over all keys, nats, mean of the heads; null where it is
   *     not known
   * @param entropySelected entropy over the selected keys alone, nats
   * @param heads its heads
   */
  public record Layer(
      int layer,
      long queries,
      @Nullable Double recall,
      @Nullable Double best,
      @Nullable Double overlap,
      @Nullable Double entropy,
      @Nullable Double entropySelected,
      List<Head> heads) {

    static Layer of(IndexedLayer layer, @Nullable Layer shorter) {
      return new Layer(
          layer.layer(),
          layer.measured(),
          layer.recall(),
          layer.best(),
          layer.overlap(),
          mean(layer.contrasts().stream().mapToDouble(h -> number(h.entropy()))),
          mean(layer.contrasts().stream().mapToDouble(h -> number(h.entropySelected()))),
          Head.of(layer.contrasts(), shorter));
    }

    static Layer dense(int layer, List<HeadContrast> heads, @Nullable Layer shorter) {
      return new Layer(
          layer,
          heads.stream().mapToLong(HeadContrast::queries).max().orElse(0),
          null,
          null,
          null,
          mean(heads.stream().mapToDouble(h -> number(h.entropy()))),
          null,
          Head.of(heads, shorter));
    }

    private static double number(@Nullable Double known) {
      return known == null ? Double.NaN : known;
    }

    private static @Nullable Double mean(DoubleStream numbers) {
      var mean = new MeanSum();
      numbers.forEach(mean::add);
      return mean.mean();
    }
  }

  /**
   * A head.
   *
   * @param attention what it does over all keys and over the selected ones
   * @param changed how much of its attention over all keys lies at other distances than at the next
   *     shorter length: total variation, 0 to 1; null at the shortest
   */
  public record Head(HeadContrast attention, @Nullable Double changed) {
    private static List<Head> of(List<HeadContrast> heads, @Nullable Layer shorter) {
      return heads.stream()
          .map(
              head ->
                  new Head(
                      head,
                      shorter == null
                          ? null
                          : shorter.heads().stream()
                              .map(Head::attention)
                              .filter(other -> other.head() == head.head())
                              .filter(other -> other.queries() > 0)
                              .map(head::distanceTo)
                              .findFirst()
                              .orElse(null)))
          .toList();
    }
  }
}
