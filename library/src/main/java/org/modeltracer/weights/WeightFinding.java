package org.modeltracer.weights;

import java.util.List;
import org.jspecify.annotations.Nullable;
import org.modeltracer.model.BlockPart;

/**
 * Something wrong with a weight tensor.
 *
 * @param tensor its name
 * @param kind what is wrong
 * @param count how many values, rows or experts are so
 * @param firstIndex index of the first bad value, fastest dimension first, or of the first row or
 *     expert; null where the whole tensor is meant
 * @param block quantized block, within its row, of the first bad value; null when not quantized
 * @param blockPart what of that block is bad; null when not quantized
 * @param message one sentence for people
 */
public record WeightFinding(
    String tensor,
    WeightFault kind,
    long count,
    @Nullable List<Long> firstIndex,
    @Nullable Long block,
    @Nullable BlockPart blockPart,
    String message) {
  /** Copies the index. */
  public WeightFinding {
    firstIndex = firstIndex == null ? null : List.copyOf(firstIndex);
  }
}
