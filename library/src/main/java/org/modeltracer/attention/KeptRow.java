package org.modeltracer.attention;

import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;

/** A row of weights kept in one of three forms; keys are positions from 0. */
sealed interface KeptRow {
  /** Weight on a key, 0 where none is kept. */
  float weight(int key);

  /** Weight that fell on keys which are not kept, in [0, 1]; 0 where all are. */
  default float rest() {
    return 0;
  }

  /** Bytes of the weights. */
  long bytes();

  /** All weights on keys 0 to {@code size - 1}. */
  default float[] weights(int size) {
    float[] all = new float[size];
    for (int j = 0; j < size; j++) {
      all[j] = weight(j);
    }
    return all;
  }

  static KeptRow of(float[] weights, float rest, KeptForm form) {
    return switch (form.kind()) {
      case F32 -> new Full(weights);
      case F16 -> {
        short[] half = new short[weights.length];
        for (int j = 0; j < half.length; j++) {
          half[j] = Float.floatToFloat16(weights[j]);
        }
        yield new Half(half);
      }
      case TOP -> {
        int[] keys =
            IntStream.range(0, weights.length)
                .filter(j -> weights[j] > 0)
                .boxed()
                .sorted(Comparator.comparingDouble(j -> -weights[j]))
                .limit(form.top())
                .mapToInt(j -> j)
                .sorted()
                .toArray();
        short[] half = new short[keys.length];
        double all = rest;
        for (float weight : weights) {
          all += weight;
        }
        for (int i = 0; i < keys.length; i++) {
          half[i] = Float.floatToFloat16(weights[keys[i]]);
          all -= weights[keys[i]];
        }
        yield new Top(keys, half, (float) Math.max(0, all));
      }
    };
  }

  /** Every weight, exact. */
  record Full(float[] values) implements KeptRow {
    @Override
    public float weight(int key) {
      return values[key];
    }

    @Override
    public long bytes() {
      return 4L * values.length;
    }
  }

  /** Every weight, rounded to float16. */
  record Half(short[] values) implements KeptRow {
    @Override
    public float weight(int key) {
      return Float.float16ToFloat(values[key]);
    }

    @Override
    public long bytes() {
      return 2L * values.length;
    }
  }

  /** The largest weights, rounded to float16; {@code keys} ascending. */
  record Top(int[] keys, short[] values, float rest) implements KeptRow {
    @Override
    public float weight(int key) {
      int i = Arrays.binarySearch(keys, key);
      return i < 0 ? 0 : Float.float16ToFloat(values[i]);
    }

    @Override
    public long bytes() {
      return 6L * keys.length + 4;
    }
  }
}
