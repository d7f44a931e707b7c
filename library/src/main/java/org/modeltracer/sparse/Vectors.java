package org.modeltracer.sparse;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.modeltracer.graph.TensorData;
import org.modeltracer.llama.Tensor;

/** Vectors of heads, copied out of a tensor while it lasts. */
final class Vectors {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  private float[] values = {};
  private int width;
  private int heads;
  private int rows;

  /**
   * Copies a tensor.
   *
   * @param headDimension its dimension that counts heads: 1 or 2; the other counts rows
   */
  Vectors read(Tensor tensor, int headDimension, TensorData data) {
    int rowDimension = 3 - headDimension;
    width = (int) tensor.ne(0);
    heads = (int) tensor.ne(headDimension);
    rows = (int) tensor.ne(rowDimension);
    if (values.length < width * heads * rows) {
      values = new float[width * heads * rows];
    }
    data.open(tensor);
    for (int r = 0; r < rows; r++) {
      for (int h = 0; h < heads; h++) {
        MemorySegment row =
            data.floats(r * tensor.nb(rowDimension) + h * tensor.nb(headDimension), width);
        MemorySegment.copy(row, FLOAT, data.rowOffset(), values, at(r, h), width);
      }
    }
    return this;
  }

  /** Elements of one vector. */
  int width() {
    return width;
  }

  int heads() {
    return heads;
  }

  /** Tokens, or cells. */
  int rows() {
    return rows;
  }

  /** {@code [row, head, width]}. */
  float[] values() {
    return values;
  }

  /** Where the vector of a head in a row begins. */
  int at(int row, int head) {
    return (row * heads + head) * width;
  }

  static double dot(float[] a, int atA, float[] b, int atB, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) {
      sum += a[atA + i] * (double) b[atB + i];
    }
    return sum;
  }
}
