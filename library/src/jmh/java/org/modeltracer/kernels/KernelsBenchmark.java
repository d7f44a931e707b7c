package org.modeltracer.kernels;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.ejml.data.FMatrixRMaj;
import org.ejml.dense.row.CommonOps_FDRM;
import org.openjdk.jmh.annotations.AuxCounters;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/**
 * The inner loops by provider, beside a plain copy, and a rollout's step beside a dense product.
 *
 * <p>The counter {@code giga} is the throughput: 10⁹ bytes a second of statistics and copies, 10⁹
 * weights of rows, 10⁹ operations of products, of which a multiplication with an addition is two.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class KernelsBenchmark {
  private static final int KEYS = 1024;
  private static final int QUERIES = 28;
  private static final int SMALL = 64 << 10;
  private static final int LARGE = 64 << 20;

  /** Which kernels. */
  @Param({"vector", "scalar"})
  String provider;

  /** Width of a head. */
  @Param({"64", "128"})
  int head;

  private final Random random = new Random(1);
  private final Moments moments = new Moments();
  private final RowSums sums = new RowSums();
  private final MemorySegment values = Arena.global().allocate(LARGE, 64);
  private final MemorySegment copy = Arena.global().allocate(LARGE, 64);
  private final float[] weights = new float[KEYS];
  private final float[] line = new float[KEYS];
  private final float[][] triangle = new float[KEYS][];
  private final float[] products = new float[QUERIES * KEYS];
  private final FMatrixRMaj dense = new FMatrixRMaj(KEYS, KEYS);
  private final FMatrixRMaj result = new FMatrixRMaj(KEYS, KEYS);
  private Kernels kernels = new ScalarKernels();
  private float[] queries = {};
  private float[] panels = {};

  /** How much was done. */
  @State(Scope.Thread)
  @AuxCounters(AuxCounters.Type.OPERATIONS)
  public static class Done {
    /** In units of 10⁹. */
    public double giga;
  }

  /** Makes standard normal values, and a softmax row of them. */
  @Setup
  public void fill() {
    kernels = provider.equals("vector") ? new VectorKernels() : new ScalarKernels();
    for (long at = 0; at < LARGE; at += 4) {
      values.set(Layout.FLOAT, at, (float) random.nextGaussian());
    }
    queries = new float[QUERIES * head];
    MemorySegment.copy(values, Layout.FLOAT, 0, queries, 0, queries.length);
    MemorySegment.copy(values, Layout.FLOAT, 0, weights, 0, KEYS);
    kernels.softmax(weights, KEYS, 1, Float.NEGATIVE_INFINITY);
    panels = new float[KEYS * head];
    kernels.panels(values, 0, head, KEYS, head, panels);
    for (int j = 0; j < KEYS; j++) {
      triangle[j] = new float[(j / kernels.panel() + 1) * kernels.panel()];
      MemorySegment.copy(values, Layout.FLOAT, 4L * KEYS * j, triangle[j], 0, j + 1);
    }
    MemorySegment.copy(values, Layout.FLOAT, 0, dense.data, 0, KEYS * KEYS);
  }

  private double statistics(int bytes) {
    double sum = 0;
    for (int at = 0; at < bytes; at += 4 * Moments.BLOCK) {
      kernels.moments(values, at, Math.min(Moments.BLOCK, (bytes - at) / 4), 0, moments);
      sum += moments.sum;
    }
    return sum;
  }

  /** Statistics of 64 KB, which the cache holds. */
  @Benchmark
  public double statisticsOfSmall(Done done) {
    done.giga += 1e-9 * SMALL;
    return statistics(SMALL);
  }

  /** Statistics of 64 MB. */
  @Benchmark
  public double statisticsOfLarge(Done done) {
    done.giga += 1e-9 * LARGE;
    return statistics(LARGE);
  }

  /** A copy of 64 MB: the limit. */
  @Benchmark
  public void copyOfLarge(Done done) {
    done.giga += 1e-9 * LARGE;
    MemorySegment.copy(values, 0, copy, 0, LARGE);
  }

  /** All sums over a row of weights. */
  @Benchmark
  public RowSums row(Done done) {
    done.giga += 1e-9 * KEYS;
    kernels.row(weights, KEYS, sums);
    return sums;
  }

  /** Weights from scores, which are copied first. */
  @Benchmark
  public float[] softmax(Done done) {
    done.giga += 1e-9 * KEYS;
    System.arraycopy(weights, 0, line, 0, KEYS);
    kernels.softmax(line, KEYS, 1, Float.NEGATIVE_INFINITY);
    return line;
  }

  /** A copy of a row: the limit. */
  @Benchmark
  public float[] copyOfRow(Done done) {
    done.giga += 1e-9 * KEYS;
    System.arraycopy(weights, 0, line, 0, KEYS);
    return line;
  }

  /** Scores of 28 queries with keys in panels. */
  @Benchmark
  public float[] scoresInPanels(Done done) {
    done.giga += 2e-9 * QUERIES * KEYS * head;
    kernels.panelProducts(queries, QUERIES, head, panels, 0, KEYS, products, KEYS);
    return products;
  }

  /** Scores of 7 queries with keys as they lie. */
  @Benchmark
  public float[] scoresAsTheyLie(Done done) {
    done.giga += 2e-9 * 7 * KEYS * head;
    kernels.products(queries, 7, head, values, 0, head, 0, KEYS, products, KEYS);
    return products;
  }

  /** Four rows of a rollout's step at the end of 1,024 positions, of the triangle alone. */
  @Benchmark
  public float[] rolloutStep(Done done) {
    done.giga += 2e-9 * 4 * KEYS * (KEYS + 1) / 2;
    for (int column = 0; column < KEYS; column += kernels.panel()) {
      kernels.combine(products, 4, KEYS, triangle, column, KEYS, column, dense.data);
    }
    return dense.data;
  }

  /** A dense product of 1,024 rows, in one thread, by a library. */
  @Benchmark
  public FMatrixRMaj denseProduct(Done done) {
    done.giga += 2e-9 * KEYS * KEYS * KEYS;
    CommonOps_FDRM.mult(dense, dense, result);
    return result;
  }
}
