package org.modeltracer.heads;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.modeltracer.attention.ValueNorms;

/** ‖(x_j W_V) W_O‖ by sequence, layer, head and position, kept as values stream; 4 bytes each. */
final class ValueNormTable implements ValueNorms {
  private final int heads;
  private final int layers;
  private final Map<Integer, float[][]> bySequence = new HashMap<>();

  ValueNormTable(int layers, int heads) {
    this.layers = layers;
    this.heads = heads;
  }

  void put(int sequence, int layer, int head, int position, float norm) {
    float[][] table = bySequence.computeIfAbsent(sequence, s -> new float[layers * heads][]);
    float[] norms = table[layer * heads + head];
    if (norms == null || position >= norms.length) {
      int room = Math.max(64, position + position / 2);
      norms = norms == null ? new float[room] : Arrays.copyOf(norms, room);
      table[layer * heads + head] = norms;
    }
    norms[position] = norm;
  }

  @Override
  public float @Nullable [] of(int sequence, int layer, int head) {
    float[][] table = bySequence.get(sequence);
    return table == null ? null : table[layer * heads + head];
  }
}
