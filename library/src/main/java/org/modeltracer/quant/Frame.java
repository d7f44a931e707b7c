package org.modeltracer.quant;

import java.lang.foreign.MemorySegment;

/**
 * The values of one node of the other model, valid until the next one is asked for.
 *
 * @param node index in the list of its nodes
 * @param firstPosition token position of the first row
 * @param rows number of rows
 * @param width numbers per row
 * @param waits whether the other model waits for values to go on with
 * @param values dense float32 {@code [row, width]}
 */
record Frame(
    int node, int firstPosition, int rows, int width, boolean waits, MemorySegment values) {

  /** A copy that keeps. */
  Frame kept() {
    long bytes = 4L * rows * width;
    var copy = MemorySegment.ofArray(new float[rows * width]);
    MemorySegment.copy(values, 0, copy, 0, bytes);
    return new Frame(node, firstPosition, rows, width, waits, copy);
  }
}
