package org.modeltracer.kernels;

import java.lang.foreign.MemorySegment;

/** The layout of many vectors in which lanes run over vectors, not over dimensions. */
final class Panels {

  private Panels() {}

  static void lay(
      MemorySegment many, long at, long stride, int count, int width, int panel, float[] into) {
    for (int i = 0; i < count; i++) {
      int base = i / panel * panel * width + i % panel;
      long from = 4 * (at + i * stride);
      for (int d = 0; d < width; d++) {
        into[base + d * panel] = many.get(Layout.FLOAT, from + 4L * d);
      }
    }
  }
}
