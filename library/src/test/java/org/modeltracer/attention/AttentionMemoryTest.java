package org.modeltracer.attention;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.util.Arrays;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.modeltracer.model.AttentionRow;
import org.modeltracer.testing.Sample;

/**
 * Heap that an analysis holds at the height of a pass, against the bound that docs/attention.md
 * gives; its table is what this prints.
 */
@Tag("alone")
class AttentionMemoryTest {
  private static final int LAYERS = 8;
  private static final int HEADS = 8;
  private static final double MIB = 1 << 20;

  @ParameterizedTest
  @CsvSource({
    "256, 256, false",
    "512, 512, false",
    "1024, 1024, false",
    "2048, 2048, false",
    "512, 64, false",
    "1024, 64, false",
    "512, 512, true",
    "1024, 1024, true"
  })
  void heldHeapStaysWithinTheDocumentedBound(int positions, int batch, boolean bothWays) {
    assumeTrue(
        positions <= Sample.times(1024, 2048), "2048 positions run with -Dmodeltracer.tests=all");
    long before = used();
    var collector =
        new AttentionCollector(Matrices.shape(LAYERS, HEADS), AttentionOptions.defaults());
    collector.beginPrompt(0, 0, new TokenTrack());
    float[] weights = new float[positions];
    for (int first = 0; first < positions; first += batch) {
      pass(collector, weights, first, Math.min(positions, first + batch), bothWays);
      if (first + batch < positions) {
        collector.endForward();
      }
    }
    double held = (used() - before) / MIB;
    collector.endForward();
    System.out.printf(
        "%d layers, %d heads, %d positions, %d a batch%s: %.0f MiB (bound %.0f)%n",
        LAYERS,
        HEADS,
        positions,
        batch,
        bothWays ? ", both ways" : "",
        held,
        bound(positions, bothWays));
    assertThat(held).isLessThan(bound(positions, bothWays) + 2);
    assertThat(collector.rollout(0).positions()).isEqualTo(positions);
  }

  /** Counters, the sample of rows, the matrices while they fit, and those of the pass. */
  private static double bound(long n, boolean bothWays) {
    long heads = LAYERS * HEADS;
    long matrix = bothWays ? n * n : n * (n + 1) / 2;
    double counters = bothWays ? 0 : 72.0 * heads * n;
    double sample = bothWays ? 0 : Math.min(32 << 20, 4 * heads * matrix);
    double rollout = 4.0 * LAYERS * matrix > 64 << 20 ? 0 : 4.0 * LAYERS * matrix;
    double flow = 6.0 * LAYERS * matrix > 64 << 20 ? 0 : 6.0 * LAYERS * matrix;
    double pass = 18.0 * matrix;
    return (counters + sample + rollout + flow + pass) / MIB;
  }

  private static void pass(
      AttentionCollector collector, float[] weights, int from, int to, boolean bothWays) {
    var row = new AttentionRow();
    var segment = MemorySegment.ofArray(weights);
    for (int l = 0; l < LAYERS; l++) {
      for (int h = 0; h < HEADS; h++) {
        for (int q = from; q < to; q++) {
          int keys = bothWays ? to : q + 1;
          Arrays.fill(weights, 0, keys, 1f / keys);
          collector.row(row.at(l, h, 0, q, 0, keys, segment, 0));
        }
      }
    }
  }

  private static long used() {
    var memory = ManagementFactory.getMemoryMXBean();
    long least = Long.MAX_VALUE;
    for (int i = 0; i < 3; i++) {
      memory.gc();
      least = Math.min(least, memory.getHeapMemoryUsage().getUsed());
    }
    return least;
  }
}
