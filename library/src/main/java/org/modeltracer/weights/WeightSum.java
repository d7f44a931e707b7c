package org.modeltracer.weights;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/** Adds up the rows of a weight tensor in order. */
final class WeightSum {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  private final long width;
  private final long rowsPerSlice;
  private final List<Integer> zeroSlices = new ArrayList<>();
  private final long firstRow;
  private long row;
  private long nan;
  private long inf;
  private long zero;
  private float absMax;
  private long firstBad = -1;
  private long zeroRows;
  private long firstZeroRow = -1;
  private long zeroRowsOfSlice;

  WeightSum(long width, long rowsPerSlice, long firstRow) {
    this.width = width;
    this.rowsPerSlice = rowsPerSlice;
    this.firstRow = firstRow;
    row = firstRow;
  }

  /** Adds {@code [count, width]} float32 values. */
  void rows(MemorySegment floats, long count) {
    for (long r = 0; r < count; r++) {
      row(floats, 4 * r * width);
    }
  }

  private void row(MemorySegment floats, long offset) {
    float max = absMax;
    long zeros = 0;
    for (long i = 0; i < width; i++) {
      float x = Math.abs(floats.get(FLOAT, offset + 4 * i));
      if (!(x <= Float.MAX_VALUE)) {
        bad(row * width + i, x);
      } else if (x > max) {
        max = x;
      } else if (x == 0) {
        zeros++;
      }
    }
    absMax = max;
    zero += zeros;
    if (zeros == width) {
      firstZeroRow = firstZeroRow < 0 ? row : firstZeroRow;
      zeroRows++;
      zeroRowsOfSlice++;
    }
    row++;
    if (row % rowsPerSlice == 0) {
      if (zeroRowsOfSlice == rowsPerSlice) {
        zeroSlices.add((int) (row / rowsPerSlice) - 1);
      }
      zeroRowsOfSlice = 0;
    }
  }

  private void bad(long element, float x) {
    firstBad = firstBad < 0 ? element : firstBad;
    if (Float.isNaN(x)) {
      nan++;
    } else {
      inf++;
    }
  }

  WeightStats stats() {
    return new WeightStats(
        (row - firstRow) * width,
        nan,
        inf,
        zero,
        absMax,
        firstBad,
        zeroRows,
        firstZeroRow,
        List.copyOf(zeroSlices));
  }
}
