package org.modeltracer.anomaly;

import java.util.List;
import org.jspecify.annotations.Nullable;
import org.modeltracer.model.BlockPart;
import org.modeltracer.model.TensorState;

/**
 * Where an anomaly comes from: the first operation whose output is bad while its inputs are not.
 *
 * @param node name of the graph node
 * @param op operation of the node, such as {@code MUL_MAT}
 * @param layer layer index, -1 for the embedding, null for what belongs to no layer
 * @param position token position of the first bad value, null when unknown
 * @param cause class of the cause
 * @param weight name of the guilty weight tensor, null when no weight is to blame
 * @param weightIndex index of its first bad value, fastest dimension first
 * @param weightBadCount number of its bad values
 * @param weightBlock index of the quantized block that holds it, within its row
 * @param blockPart what of that block is bad, null when not known
 * @param inputs the node's inputs and their state at the moment they were consumed
 * @param message one sentence for people
 * @param notes what observing changed (graph splits, flash attention off, another backend)
 */
public record RootCause(
    String node,
    String op,
    @Nullable Integer layer,
    @Nullable Integer position,
    Cause cause,
    @Nullable String weight,
    @Nullable List<Long> weightIndex,
    @Nullable Long weightBadCount,
    @Nullable Long weightBlock,
    @Nullable BlockPart blockPart,
    List<Input> inputs,
    String message,
    List<String> notes) {

  /** Copies the lists. */
  public RootCause {
    weightIndex = weightIndex == null ? null : List.copyOf(weightIndex);
    inputs = List.copyOf(inputs);
    notes = List.copyOf(notes);
  }

  /**
   * An input of the guilty operation.
   *
   * @param name tensor name
   * @param state what its values were
   */
  public record Input(String name, TensorState state) {}
}
