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

  /** Values moved with their keys; rotating keys leaves values as they are. */
  void shift(int sequence, int from, int to, int delta) {
    float[][] table = bySequence.get(sequence);
    if (table == null) {
      return;
    }
    for (int i = 0; i < table.length; i++) {
      float[] norms = table[i];
      if (norms != null) {
        int end = to < 0 ? norms.length : Math.min(to, norms.length);
        int start = Math.max(from, -delta);
        int room = Math.max(norms.length, end + delta);
        float[] moved = Arrays.copyOf(norms, room);
        if (start < end) {
          System.arraycopy(norms, start, moved, start + delta, end - start);
        }
        table[i] = moved;
      }
    }
  }

  @Override
  public float @Nullable [] of(int sequence, int layer, int head) {
    float[][] table = bySequence.get(sequence);
    return table == null ? null : table[layer * heads + head];
  }
}
