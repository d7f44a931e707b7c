package org.modeltracer.report;

import java.util.Base64;
import java.util.List;
import org.modeltracer.attention.PooledAttention;

/**
 * Attention matrices as a page draws them.
 *
 * @param positions positions of the text
 * @param pool positions that a block takes together, 1 where every weight is its own
 * @param side blocks along a side
 * @param heads each head's matrix
 */
record AttentionPicture(int positions, int pool, int side, List<Head> heads) {
  /**
   * One head's matrix.
   *
   * @param weights lower triangle of blocks by rows, a byte each as base64; b stands for the weight
   *     (b / 255)²
   */
  record Head(int layer, int head, String weights) {}

  static AttentionPicture of(PooledAttention attention) {
    List<Head> heads =
        attention.heads().stream()
            .map(
                id ->
                    new Head(
                        id.layer(),
                        id.head(),
                        Base64.getEncoder().encodeToString(attention.bytes(id))))
            .toList();
    return new AttentionPicture(
        attention.positions(), attention.pool(), attention.side(), List.copyOf(heads));
  }
}
