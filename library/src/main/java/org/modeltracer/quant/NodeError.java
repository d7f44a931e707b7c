package org.modeltracer.quant;

import java.util.List;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.QuantizationLevel;
import org.modeltracer.model.Place;

/**
 * The error of one node.
 *
 * @param place where in the transformer
 * @param tensor name in the reference's graph
 * @param op operation that computes it there
 * @param otherTensor name in the other graph
 * @param weight tensor of the model file that made it, null where none did directly
 * @param type element type of that weight in the model, such as {@code q4_K}
 * @param referenceType element type of that weight in the reference
 * @param rows rows compared: tokens, or queries times heads for attention
 * @param local the error when the layer gets the reference's input; null where not measured
 * @param accumulated the error with each model running free
 * @param localWithoutMassive as {@code local} without massive dimensions; null where there are none
 * @param accumulatedWithoutMassive as {@code accumulated} without massive dimensions
 * @param massive massive dimensions of the reference, ascending
 * @param notFinite values that are NaN or infinite though the reference's are finite
 * @param referenceNotFinite values of the reference that are NaN or infinite
 * @param level by the lower of the two errors' {@link TensorError#likeness}; critical when
 *     something is not finite
 */
public record NodeError(
    Place place,
    String tensor,
    String op,
    String otherTensor,
    @Nullable String weight,
    @Nullable String type,
    @Nullable String referenceType,
    long rows,
    @Nullable TensorError local,
    TensorError accumulated,
    @Nullable TensorError localWithoutMassive,
    @Nullable TensorError accumulatedWithoutMassive,
    List<Integer> massive,
    long notFinite,
    long referenceNotFinite,
    QuantizationLevel level) {

  /** What to call it: its name in the graph, or its place where llama.cpp gave it none. */
  public String name() {
    return tensor.isEmpty() || tensor.startsWith("node_") ? place.toString() : tensor;
  }

  /** The error that sets the level: the one less like the reference. */
  public TensorError worse() {
    return local != null && !(local.likeness() >= accumulated.likeness()) ? local : accumulated;
  }

  /**
   * The error of the node's own: with the reference's input to its layer, where that was measured.
   */
  public TensorError own() {
    return local != null ? local : accumulated;
  }

  /**
   * Its factor in words: {@code result_norm is 9.50 times the reference's, by output_norm.weight}.
   *
   * @param name what to call it
   */
  public String scaleInWords(String name) {
    return "%s is %.3g times the reference's%s"
        .formatted(name, own().scale(), weight == null ? "" : ", by " + weight);
  }

  /** Whether its own error is a factor, more than anything else. */
  boolean scaled() {
    return own().scaled();
  }
}
