package org.modeltracer.attention;

import java.lang.foreign.MemorySegment;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.modeltracer.model.AttentionRow;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;
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

/** Reduction of one row of attention, the work done for every head of every token. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class AttentionRowBenchmark {
  /** Number of visible keys. */
  @Param({"64", "1024", "8192"})
  int keys;

  private final AttentionOptions options = AttentionOptions.defaults();
  private final RowMeasure measure = new RowMeasure(options.thresholds());
  private final RowTotals totals = new RowTotals();
  private final PositionCounters positions = new PositionCounters(options.bounds().maxPositions());
  private final AttentionRow row = new AttentionRow();
  private final ModelTracer tracer =
      new ModelTracer(TracerConfig.builder().attention(true).build());
  private final TokenTrack tokens = new TokenTrack();

  /** Makes a row as peaked as those of trained models: a sink, and the rest log-normal. */
  @Setup
  public void fill() {
    var random = new Random(1);
    float[] weights = new float[keys];
    double sum = 0;
    for (int i = 0; i < keys; i++) {
      weights[i] = (float) Math.exp(2 * random.nextGaussian() + (i == 0 ? 8 : 0));
      sum += weights[i];
    }
    for (int i = 0; i < keys; i++) {
      weights[i] /= (float) sum;
    }
    row.at(0, 0, 0, keys - 1, 0, keys, MemorySegment.ofArray(weights), 0);
    random.ints(keys, 0, 384).forEach(token -> tokens.append(token, "", TokenKind.CONTENT));
    tracer.beginForward(0, keys);
  }

  /** What the tracer notes of a row: top-k, tail, entropy, anomalies. */
  @Benchmark
  public void trace() {
    tracer.recordAttention(row);
  }

  /** What the analysis notes of a row: every quantity, and the statistics of the head. */
  @Benchmark
  public boolean analyze() {
    boolean finite = measure.read(row, tokens);
    totals.add(measure);
    positions.add(measure, (float) options.thresholds().connectedAbove());
    return finite;
  }
}
