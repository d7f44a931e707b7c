package org.modeltracer.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.MemorySegment;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Both providers against double precision, on random input of every length near a vector's. */
class KernelsTest {
  private static final int[] LENGTHS = {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 100, 513, 1024};

  static Stream<Kernels> providers() {
    assertThat(ModuleLayer.boot().findModule("jdk.incubator.vector"))
        .as("tests run with the vector module")
        .isPresent();
    return Stream.of(new ScalarKernels(), new VectorKernels());
  }

  private final Random random = new Random(15);

  @ParameterizedTest
  @MethodSource("providers")
  void momentsAreThoseOfDoubles(Kernels kernels) {
    for (int n : LENGTHS) {
      for (double mean : new double[] {0, 3, -1e6}) {
        float[] values = gaussian(n, mean);
        values[random.nextInt(n)] = 0;
        double center = values[0];
        double sum = 0;
        double squares = 0;
        double raw = 0;
        float min = values[0];
        float max = values[0];
        int zeros = 0;
        for (float x : values) {
          sum += x - center;
          squares += (x - center) * (x - center);
          raw += (double) x * x;
          min = Math.min(min, x);
          max = Math.max(max, x);
          zeros += x == 0 ? 1 : 0;
        }
        var found = new Moments();
        var segment = MemorySegment.ofArray(values);
        assertThat(kernels.moments(segment, 0, n, (float) center, found)).isTrue();
        assertThat(found.squares).isEqualTo(squares, within(1e-5 * squares + 1e-12));
        assertThat(found.raw).isEqualTo(raw, within(1e-5 * raw));
        assertThat(found.sum).isEqualTo(sum, within(1e-5 * Math.sqrt(n * squares) + 1e-12));
        assertThat(found.min).isEqualTo(min);
        assertThat(found.max).isEqualTo(max);
        assertThat(found.zeros).isEqualTo(zeros);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("providers")
  void momentsSeeWhatIsNotFinite(Kernels kernels) {
    for (float bad :
        new float[] {Float.NaN, -Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY}) {
      for (int n : LENGTHS) {
        float[] values = gaussian(n, 0);
        values[random.nextInt(n)] = bad;
        var segment = MemorySegment.ofArray(values);
        assertThat(kernels.moments(segment, 0, n, 0, new Moments())).isFalse();
      }
    }
    float[] largest = {Float.MAX_VALUE / 1e19f, -Float.MAX_VALUE / 1e19f};
    assertThat(kernels.moments(MemorySegment.ofArray(largest), 0, 2, 0, new Moments())).isTrue();
  }

  @ParameterizedTest
  @MethodSource("providers")
  void rowsAreThoseOfDoubles(Kernels kernels) {
    for (int n : LENGTHS) {
      for (double sharpness : new double[] {0, 1, 8, 40}) {
        float[] weights = softmax(gaussian(n, 0), n, sharpness);
        double sum = 0;
        double squares = 0;
        double entropy = 0;
        double moment = 0;
        int argmax = 0;
        for (int i = 0; i < n; i++) {
          double w = weights[i];
          sum += w;
          squares += w * w;
          entropy -= w > 0 ? w * Math.log(w) : 0;
          moment += w * i;
          argmax = weights[i] > weights[argmax] ? i : argmax;
        }
        var found = new RowSums();
        kernels.row(weights, n, found);
        assertThat(found.sum).isEqualTo(sum, within(1e-6 * sum));
        assertThat(found.squares).isEqualTo(squares, within(1e-6 * squares));
        assertThat(found.entropy).isEqualTo(entropy, within(1e-6 * (1 + entropy)));
        assertThat(found.moment).isEqualTo(moment, within(1e-6 * moment + 1e-12));
        assertThat(found.argmax).isEqualTo(argmax);
        assertThat(found.max).isEqualTo(weights[argmax]);
        assertThat(kernels.sum(weights, n / 3, n))
            .isEqualTo(brute(weights, n / 3, n), within(1e-6 * sum));
      }
    }
    var zeros = new RowSums();
    kernels.row(new float[9], 9, zeros);
    assertThat(zeros.argmax).isEqualTo(-1);
    assertThat(zeros.entropy).isZero();
    kernels.row(new float[] {0.5f, Float.NaN, 0.5f}, 3, zeros);
    assertThat(zeros.sum).isNaN();
  }

  @ParameterizedTest
  @MethodSource("providers")
  void weightsAreFoundAndCounted(Kernels kernels) {
    for (int n : LENGTHS) {
      float[] weights = gaussian(n, 0);
      float limit = weights[random.nextInt(n)];
      int below = 0;
      int first = n;
      for (int i = n - 1; i >= 0; i--) {
        below += weights[i] < limit ? 1 : 0;
        first = weights[i] >= limit ? i : first;
      }
      assertThat(kernels.below(weights, n, limit)).isEqualTo(below);
      double mass = 0;
      double size = 0;
      double squares = 0;
      for (float w : weights) {
        mass += w >= limit ? w : 0;
        size += Math.abs(w);
        squares += (double) w * w;
      }
      assertThat(kernels.mass(weights, n, limit)).isEqualTo(mass, within(1e-6 * size));
      assertThat(kernels.squares(weights, 0, n)).isEqualTo(squares, within(1e-6 * squares));
      assertThat(kernels.next(weights, 0, n, limit)).isEqualTo(first);
      assertThat(kernels.next(weights, first + 1, n, Float.POSITIVE_INFINITY)).isEqualTo(n);
    }
  }

  @ParameterizedTest
  @MethodSource("providers")
  void valuesAreAdded(Kernels kernels) {
    for (int n : LENGTHS) {
      float[] values = gaussian(n, 0);
      double[] up = new double[n + 5];
      double[] down = new double[n + 5];
      float[] floats = new float[n + 5];
      kernels.add(values, n, up, 3);
      kernels.addReversed(values, n, down, n + 2);
      kernels.add(values, 0, n, floats, 3);
      float[] largest = new float[n + 1];
      int[] leaders = new int[n + 1];
      kernels.lead(values, n, largest, leaders, 1, 7);
      for (int i = 0; i < n; i++) {
        assertThat(up[3 + i]).isEqualTo(values[i]);
        assertThat(down[n + 2 - i]).isEqualTo(values[i]);
        assertThat(floats[3 + i]).isEqualTo(values[i]);
        assertThat(largest[1 + i]).isEqualTo(Math.max(0, values[i]));
        assertThat(leaders[1 + i]).isEqualTo(values[i] > 0 ? 7 : 0);
      }
      assertThat(up[2] + up[3 + n] + down[2] + down[n + 3]).isZero();
    }
  }

  @ParameterizedTest
  @MethodSource("providers")
  void softmaxIsThatOfDoubles(Kernels kernels) {
    for (int n : LENGTHS) {
      for (float scale : new float[] {0.125f, 1, -2, 20}) {
        for (float sink : new float[] {Float.NEGATIVE_INFINITY, 1, 30}) {
          float[] scores = gaussian(n, 0);
          float[] line = scores.clone();
          kernels.softmax(line, n, scale, sink);
          double max = sink;
          for (float s : scores) {
            max = Math.max(max, (double) scale * s);
          }
          double sum = Math.exp(sink - max);
          for (float s : scores) {
            sum += Math.exp((double) scale * s - max);
          }
          for (int i = 0; i < n; i++) {
            double exponent = (double) scale * scores[i] - max;
            double exact = Math.exp(exponent) / sum;
            double error = 1e-6 + 1.2e-7 * Math.abs(exponent);
            assertThat((double) line[i]).isEqualTo(exact, within(exact * error + 1e-37));
          }
        }
      }
    }
    float[] bad = {1, Float.NaN, 2, 3, 4, 5, 6, 7, 8, 9};
    kernels.softmax(bad, bad.length, 1, Float.NEGATIVE_INFINITY);
    for (float w : bad) {
      assertThat(w).isNaN();
    }
  }

  @ParameterizedTest
  @MethodSource("providers")
  void productsAreThoseOfDoubles(Kernels kernels) {
    for (int width : new int[] {1, 5, 8, 20, 64, 80, 128}) {
      for (int rows : new int[] {1, 3, 4, 7, 9}) {
        int count = 1 + random.nextInt(40);
        int stride = width + random.nextInt(9);
        float[] few = gaussian(rows * width, 0);
        float[] many = gaussian(3 + count * stride, 0);
        var segment = MemorySegment.ofArray(many);
        int room = (count / kernels.panel() + 1) * kernels.panel();
        float[] panels = new float[room * width];
        kernels.panels(segment, 3, stride, count, width, panels);
        float[] direct = new float[rows * room];
        float[] laid = new float[rows * room];
        int from = count / 2;
        kernels.products(few, rows, width, segment, 3, stride, from, count, direct, room);
        kernels.panelProducts(few, rows, width, panels, 0, count, laid, room);
        for (int r = 0; r < rows; r++) {
          for (int i = 0; i < count; i++) {
            double exact = 0;
            double size = 0;
            for (int d = 0; d < width; d++) {
              double term = (double) few[r * width + d] * many[3 + i * stride + d];
              exact += term;
              size += Math.abs(term);
            }
            assertThat((double) laid[r * room + i]).isEqualTo(exact, within(2e-6 * size));
            double own = i < from ? 0 : exact;
            assertThat((double) direct[r * room + i]).isEqualTo(own, within(2e-6 * size));
          }
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("providers")
  void vectorsAreCombined(Kernels kernels) {
    int panel = kernels.panel();
    for (int rows : new int[] {1, 3, 4, 6, 9}) {
      int count = 1 + random.nextInt(60);
      int room = (count / panel + 1) * panel;
      float[][] vectors = new float[count][];
      for (int j = 0; j < count; j++) {
        vectors[j] = gaussian(2 * panel, 0);
      }
      float[] weights = gaussian(rows * room, 0);
      float[] into = gaussian(rows * room, 0);
      int from = random.nextInt(count + 1);
      float[] before = into.clone();
      kernels.combine(weights, rows, room, vectors, from, count, 0, into);
      for (int r = 0; r < rows; r++) {
        for (int k = 0; k < room; k++) {
          double exact = k < panel ? 0 : before[r * room + k];
          double size = 0;
          for (int j = from; j < count && k < panel; j++) {
            exact += (double) weights[r * room + j] * vectors[j][k];
            size += Math.abs((double) weights[r * room + j] * vectors[j][k]);
          }
          assertThat((double) into[r * room + k]).isEqualTo(exact, within(2e-6 * size));
        }
      }
    }
  }

  private static double brute(float[] values, int from, int to) {
    double sum = 0;
    for (int i = from; i < to; i++) {
      sum += values[i];
    }
    return sum;
  }

  private float[] gaussian(int n, double mean) {
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = (float) (random.nextGaussian() + mean);
    }
    return values;
  }

  private static float[] softmax(float[] scores, int n, double sharpness) {
    double sum = 0;
    for (float s : scores) {
      sum += Math.exp(sharpness * s);
    }
    float[] weights = new float[n];
    for (int i = 0; i < n; i++) {
      weights[i] = (float) (Math.exp(sharpness * scores[i]) / sum);
    }
    return weights;
  }
}
