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
   * @param headDimension its dimension that counts heads: 1, or 2 with 3, where heads lie in
   *     groups; the other counts rows
   */
  Vectors read(Tensor tensor, int headDimension, TensorData data) {
    int rowDimension = 3 - headDimension;
    width = (int) tensor.ne(0);
    int each = (int) tensor.ne(headDimension);
    heads = headDimension == 2 ? each * (int) tensor.ne(3) : each;
    rows = (int) tensor.ne(rowDimension);
    if (values.length < width * heads * rows) {
      values = new float[width * heads * rows];
    }
    data.open(tensor);
    for (int r = 0; r < rows; r++) {
      for (int h = 0; h < heads; h++) {
        long head = h % each * tensor.nb(headDimension) + h / each * tensor.nb(3);
        MemorySegment row = data.floats(r * tensor.nb(rowDimension) + head, width);
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

  /** The product, in four sums beside each other: one sum waits for itself at each number. */
  static double dot(float[] a, int atA, float[] b, int atB, int n) {
    double first = 0;
    double second = 0;
    double third = 0;
    double fourth = 0;
    int i = 0;
    for (; i + 3 < n; i += 4) {
      first += a[atA + i] * (double) b[atB + i];
      second += a[atA + i + 1] * (double) b[atB + i + 1];
      third += a[atA + i + 2] * (double) b[atB + i + 2];
      fourth += a[atA + i + 3] * (double) b[atB + i + 3];
    }
    for (; i < n; i++) {
      first += a[atA + i] * (double) b[atB + i];
    }
    return first + second + (third + fourth);
  }
}
