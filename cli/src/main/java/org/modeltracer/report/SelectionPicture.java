package org.modeltracer.report;

import java.util.Base64;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.modeltracer.sparse.SelectionMap;

/**
 * Selections of a sparse model's indexers as a page draws them.
 *
 * @param positions positions of the text
 * @param pool positions that a block takes together
 * @param side blocks along a side
 * @param queriesLeftOut queries without a picture
 * @param layers those that had a query, ascending
 */
record SelectionPicture(
    int positions, int pool, int side, long queriesLeftOut, List<Layer> layers) {
  /** One layer: {@link SelectionMap.Layer} with bytes as base64. */
  record Layer(
      int layer,
      int topK,
      String selected,
      String scores,
      double scoreLeast,
      double scoreLargest,
      @Nullable String attention) {}

  static SelectionPicture of(SelectionMap.Picture map) {
    return new SelectionPicture(
        map.positions(),
        map.pool(),
        map.side(),
        map.leftOut(),
        map.layers().stream().map(SelectionPicture::layer).toList());
  }

  private static Layer layer(SelectionMap.Layer of) {
    return new Layer(
        of.layer(),
        of.topK(),
        base64(of.selected()),
        base64(of.scores()),
        of.scoreLeast(),
        of.scoreLargest(),
        of.attention() == null ? null : base64(of.attention()));
  }

  private static String base64(byte[] bytes) {
    return Base64.getEncoder().encodeToString(bytes);
  }
}
