package org.modeltracer.llama;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.TimeUnit;
import org.modeltracer.gguf.GgmlType;
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
 * ggml's own conversion to float32, as cached keys and observed tensors need it.
 *
 * <p>The counter {@code giga} is 10⁹ elements a second; {@code F32} is a plain copy, the limit.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class ConversionBenchmark {
  private static final int ELEMENTS = 1024 * 128;

  /** From which type. */
  @Param({"F32", "F16", "BF16", "Q8_0", "Q4_0"})
  GgmlType from;

  private final LlamaRuntime runtime = LlamaRuntime.load();
  private final MemorySegment source = Arena.global().allocate(4L * ELEMENTS, 64);
  private final MemorySegment target = Arena.global().allocate(4L * ELEMENTS, 64);
  private TensorType type = runtime.type(TensorType.F32);

  /** Finds the type; what is converted are zeros. */
  @Setup
  public void find() {
    type = runtime.type(from.id());
  }

  /** How much was done. */
  @State(Scope.Thread)
  @AuxCounters(AuxCounters.Type.OPERATIONS)
  public static class Done {
    /** In units of 10⁹. */
    public double giga;
  }

  /** The keys of a layer, 1,024 cells of 128. */
  @Benchmark
  public MemorySegment convert(Done done) {
    done.giga += 1e-9 * ELEMENTS;
    type.toFloat(source, target, ELEMENTS);
    return target;
  }
}
