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
  @CsvSource({"256, 256", "512, 512", "1024, 1024", "2048, 2048", "512, 64", "1024, 64"})
  void heldHeapStaysWithinTheDocumentedBound(int positions, int batch) {
    assumeTrue(
        positions <= Sample.times(1024, 2048), "2048 positions run with -Dmodeltracer.tests=all");
    long before = used();
    var collector =
        new AttentionCollector(Matrices.shape(LAYERS, HEADS), AttentionOptions.defaults());
    collector.beginPrompt(0, 0, new TokenTrack());
    float[] weights = new float[positions];
    for (int first = 0; first < positions; first += batch) {
      pass(collector, weights, first, Math.min(positions, first + batch));
      if (first + batch < positions) {
        collector.endForward();
      }
    }
    double held = (used() - before) / MIB;
    collector.endForward();
    System.out.printf(
        "%d layers, %d heads, %d positions, %d a batch: %.0f MiB (bound %.0f)%n",
        LAYERS, HEADS, positions, batch, held, bound(positions));
    assertThat(held).isLessThan(bound(positions) + 2);
    assertThat(collector.rollout(0).positions()).isEqualTo(positions);
  }

  /** Counters, the sample of rows, the triangles while they fit, and the matrices of the pass. */
  private static double bound(long n) {
    long heads = LAYERS * HEADS;
    long triangle = n * (n + 1) / 2;
    double counters = 72.0 * heads * n;
    double sample = Math.min(32 << 20, 4 * heads * triangle);
    double rollout = 4.0 * LAYERS * triangle > 64 << 20 ? 0 : 4.0 * LAYERS * triangle;
    double flow = 6.0 * LAYERS * triangle > 64 << 20 ? 0 : 6.0 * LAYERS * triangle;
    double matrices = 18.0 * triangle;
    return (counters + sample + rollout + flow + matrices) / MIB;
  }

  private static void pass(AttentionCollector collector, float[] weights, int from, int to) {
    var row = new AttentionRow();
    var segment = MemorySegment.ofArray(weights);
    for (int l = 0; l < LAYERS; l++) {
      for (int h = 0; h < HEADS; h++) {
        for (int q = from; q < to; q++) {
          Arrays.fill(weights, 0, q + 1, 1f / (q + 1));
          collector.row(row.at(l, h, 0, q, 0, q + 1, segment, 0));
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
