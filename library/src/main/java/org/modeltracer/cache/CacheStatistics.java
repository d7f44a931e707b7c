package org.modeltracer.cache;

import java.util.List;
import org.modeltracer.model.TensorStats;

/**
 * What the KV caches hold, read at one moment.
 *
 * @param layers statistics by layer, keys before values
 * @param poisonedCells cells, of keys or of values, with values that are NaN or infinite
 * @param poisoned the first of them
 */
public record CacheStatistics(List<Part> layers, long poisonedCells, List<PoisonedCell> poisoned) {
  /** Poisoned cells that are listed. */
  static final int LISTED = 64;

  /** Whether keys or values. */
  public enum Kind {
    K,
    V
  }

  /** Copies the lists. */
  public CacheStatistics {
    layers = List.copyOf(layers);
    poisoned = List.copyOf(poisoned);
  }

  /**
   * One layer's keys, or its values, over the cells in use.
   *
   * @param layer layer index, from 0
   * @param part whether keys or values
   * @param tensor as llama.cpp names it
   * @param type element type, such as {@code f16}
   * @param cells cells in use
   * @param stats of their values as float32
   */
  public record Part(
      int layer, Kind part, String tensor, String type, int cells, TensorStats stats) {}

  /**
   * A cell in use that holds values which are NaN or infinite.
   *
   * @param layer layer index, from 0
   * @param part whether keys or values
   * @param tensor as llama.cpp names it
   * @param cell its number, streams one after the other
   * @param position of its token
   * @param sequences that the token belongs to
   * @param forward index of the pass that wrote it
   * @param stats of its values
   */
  public record PoisonedCell(
      int layer,
      Kind part,
      String tensor,
      int cell,
      int position,
      List<Integer> sequences,
      int forward,
      TensorStats stats) {

    /** Copies the list. */
    public PoisonedCell {
      sequences = List.copyOf(sequences);
    }
  }
}
