package org.modeltracer.kernels;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/** Kernels in plain Java, for where there are no vectors; products go dimension by dimension. */
final class ScalarKernels implements Kernels {
  private static final int PANEL = 16;

  @Override
  public boolean moments(MemorySegment values, long offset, int n, float center, Moments into) {
    double sum = 0;
    double squares = 0;
    double raw = 0;
    float min = Float.POSITIVE_INFINITY;
    float max = Float.NEGATIVE_INFINITY;
    int zeros = 0;
    for (int i = 0; i < n; i++) {
      float x = values.get(Layout.FLOAT, offset + 4L * i);
      double d = (double) x - center;
      sum += d;
      squares += d * d;
      raw += (double) x * x;
      min = Math.min(min, x);
      max = Math.max(max, x);
      zeros += x == 0 ? 1 : 0;
    }
    into.sum = sum;
    into.squares = squares;
    into.raw = raw;
    into.min = min;
    into.max = max;
    into.zeros = zeros;
    return raw - raw == 0;
  }

  @Override
  public void row(float[] weights, int n, RowSums into) {
    double sum = 0;
    double squares = 0;
    double entropy = 0;
    double moment = 0;
    float max = 0;
    int argmax = -1;
    for (int i = 0; i < n; i++) {
      float w = weights[i];
      sum += w;
      squares += (double) w * w;
      moment += (double) w * i;
      if (w > 0) {
        entropy -= w * FastLog.log(w);
        if (w > max) {
          max = w;
          argmax = i;
        }
      }
    }
    into.sum = sum;
    into.squares = squares;
    into.entropy = entropy;
    into.moment = moment;
    into.max = max;
    into.argmax = argmax;
  }

  @Override
  public double sum(float[] weights, int from, int to) {
    double sum = 0;
    for (int i = from; i < to; i++) {
      sum += weights[i];
    }
    return sum;
  }

  @Override
  public double squares(float[] values, int from, int n) {
    double sum = 0;
    for (int i = from; i < from + n; i++) {
      sum += (double) values[i] * values[i];
    }
    return sum;
  }

  @Override
  public void addReversed(float[] values, int n, double[] target, int at) {
    for (int i = 0; i < n; i++) {
      target[at - i] += values[i];
    }
  }

  @Override
  public void lead(float[] values, int n, float[] largest, int[] leaders, int at, int owner) {
    for (int i = 0; i < n; i++) {
      if (values[i] > largest[at + i]) {
        largest[at + i] = values[i];
        leaders[at + i] = owner;
      }
    }
  }

  @Override
  public int below(float[] weights, int n, float limit) {
    int count = 0;
    for (int i = 0; i < n; i++) {
      count += weights[i] < limit ? 1 : 0;
    }
    return count;
  }

  @Override
  public double mass(float[] weights, int n, float least) {
    double sum = 0;
    for (int i = 0; i < n; i++) {
      sum += weights[i] >= least ? weights[i] : 0;
    }
    return sum;
  }

  @Override
  public int next(float[] weights, int from, int n, float limit) {
    for (int i = from; i < n; i++) {
      if (weights[i] >= limit) {
        return i;
      }
    }
    return n;
  }

  @Override
  public void add(float[] values, int n, double[] target, int at) {
    for (int i = 0; i < n; i++) {
      target[at + i] += values[i];
    }
  }

  @Override
  public void add(float[] values, int from, int n, float[] target, int at) {
    for (int i = 0; i < n; i++) {
      target[at + i] += values[from + i];
    }
  }

  @Override
  public void softmax(float[] line, int n, float scale, float sink) {
    double max = sink;
    for (int i = 0; i < n; i++) {
      double score = (double) scale * line[i];
      max = score > max || score != score ? score : max;
    }
    double sum = Math.exp(sink - max);
    for (int i = 0; i < n; i++) {
      line[i] = (float) Math.exp((double) scale * line[i] - max);
      sum += line[i];
    }
    float share = (float) (1 / sum);
    for (int i = 0; i < n; i++) {
      line[i] *= share;
    }
  }

  @Override
  public void products(
      float[] few,
      int rows,
      int width,
      MemorySegment many,
      long at,
      long stride,
      int from,
      int to,
      float[] into,
      int room) {
    for (int r = 0; r < rows; r++) {
      for (int i = from; i < to; i++) {
        long vector = 4 * (at + i * stride);
        float a = 0;
        float b = 0;
        float c = 0;
        float e = 0;
        int d = 0;
        int q = r * width;
        for (; d + 3 < width; d += 4) {
          a += few[q + d] * many.get(Layout.FLOAT, vector + 4L * d);
          b += few[q + d + 1] * many.get(Layout.FLOAT, vector + 4L * d + 4);
          c += few[q + d + 2] * many.get(Layout.FLOAT, vector + 4L * d + 8);
          e += few[q + d + 3] * many.get(Layout.FLOAT, vector + 4L * d + 12);
        }
        for (; d < width; d++) {
          a += few[q + d] * many.get(Layout.FLOAT, vector + 4L * d);
        }
        into[r * room + i] = (a + b) + (c + e);
      }
    }
  }

  @Override
  public int panel() {
    return PANEL;
  }

  @Override
  public void panelProducts(
      float[] few, int rows, int width, float[] panels, int from, int to, float[] into, int room) {
    for (int r = 0; r < rows; r++) {
      for (int first = from; first < to; first += PANEL) {
        int out = r * room + first;
        Arrays.fill(into, out, out + PANEL, 0);
        for (int d = 0; d < width; d++) {
          float q = few[r * width + d];
          int base = first * width + d * PANEL;
          for (int i = 0; i < PANEL; i++) {
            into[out + i] += q * panels[base + i];
          }
        }
      }
    }
  }

  @Override
  public void combine(
      float[] weights,
      int rows,
      int room,
      float[][] vectors,
      int from,
      int to,
      int column,
      float[] into) {
    for (int r = 0; r < rows; r++) {
      int out = r * room + column;
      Arrays.fill(into, out, out + PANEL, 0);
      for (int j = from; j < to; j++) {
        float w = weights[r * room + j];
        float[] vector = vectors[j];
        for (int i = 0; i < PANEL; i++) {
          into[out + i] += w * vector[column + i];
        }
      }
    }
  }
}
