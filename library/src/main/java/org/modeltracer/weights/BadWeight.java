package org.modeltracer.weights;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.modeltracer.gguf.TensorInfo;
import org.modeltracer.model.BlockPart;

/**
 * A bad value of a weight tensor and where it is.
 *
 * @param tensor the tensor
 * @param stats of the tensor
 * @param index of the value, fastest dimension first, one number a dimension
 * @param block quantized block within the row, null when not quantized
 * @param part what of that block is bad, null when not quantized
 */
public record BadWeight(
    TensorInfo tensor,
    WeightStats stats,
    List<Long> index,
    @Nullable Long block,
    @Nullable BlockPart part) {

  /** The first bad value; {@code stats} must have one. */
  public static BadWeight of(Weights file, TensorInfo tensor, WeightStats stats) {
    long element = stats.firstBad();
    List<Long> index = new ArrayList<>();
    long rest = element;
    for (int d = 0; d < Math.max(1, tensor.shape().size()); d++) {
      index.add(rest % tensor.dimension(d));
      rest /= tensor.dimension(d);
    }
    boolean quantized = tensor.type().quantized();
    return new BadWeight(
        tensor,
        stats,
        List.copyOf(index),
        quantized ? index.getFirst() / tensor.type().blockSize() : null,
        quantized ? file.badPart(tensor, element) : null);
  }

  /** The same value, counted among those of the whole tensor. */
  public BadWeight with(WeightStats all) {
    return new BadWeight(tensor, all, index, block, part);
  }

  /** Number of the row among all rows of the tensor. */
  private long row() {
    long row = 0;
    for (int d = index.size() - 1; d > 0; d--) {
      row = row * tensor.dimension(d) + index.get(d);
    }
    return row;
  }

  /** What and where, as in {@code w has 32 bad values, the first at [64, 9] …}. */
  public String message() {
    String what =
        "%s has %d bad value%s (%d NaN, %d Inf), the first at %s"
            .formatted(
                tensor.place(),
                stats.bad(),
                stats.bad() == 1 ? "" : "s",
                stats.nan(),
                stats.inf(),
                index);
    if (block == null) {
      return what;
    }
    return "%s: %s of block %d in row %d is not finite (%s)"
        .formatted(what, part == null ? "a value" : "the " + part, block, row(), tensor.type());
  }
}
