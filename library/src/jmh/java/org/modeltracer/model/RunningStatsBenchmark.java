package org.modeltracer.model;

import java.lang.foreign.MemorySegment;
import java.util.Random;
import java.util.concurrent.TimeUnit;
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
 * One pass of statistics over a tensor, the work done for every observed node.
 *
 * <p>The counter {@code gigabytes} is the throughput in GB/s.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class RunningStatsBenchmark {
  /** Number of float32 values: a hidden state of one token, and of 256 tokens. */
  @Param({"4096", "1048576"})
  int size;

  private final RunningStats stats = new RunningStats();
  private MemorySegment values = MemorySegment.NULL;

  /** Fills the tensor with standard normal values. */
  @Setup
  public void fill() {
    var random = new Random(1);
    var array = new float[size];
    for (int i = 0; i < size; i++) {
      array[i] = (float) random.nextGaussian();
    }
    values = MemorySegment.ofArray(array);
  }

  /** How much was read. */
  @State(Scope.Thread)
  @AuxCounters(AuxCounters.Type.OPERATIONS)
  public static class Read {
    /** In units of 10⁹ bytes. */
    public double gigabytes;
  }

  /** Statistics of the whole tensor. */
  @Benchmark
  public TensorStats stats(Read read) {
    read.gigabytes += 4e-9 * size;
    stats.reset();
    stats.add(values, 0, size);
    return stats.snapshot();
  }
}
