package org.modeltracer.attention.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.modeltracer.attention.AttentionCollector;
import org.modeltracer.attention.AttentionOptions;
import org.modeltracer.attention.Matrices;
import org.modeltracer.attention.TokenTrack;
import org.modeltracer.model.AttentionRow;
import org.modeltracer.model.HeadId;
import org.modeltracer.testing.Sample;
import org.modeltracer.trace.Json;

/**
 * Models with more heads than can all be compared: what is held, written and said stays bounded.
 */
@Tag("alone")
class ManyHeadsTest {
  private static final double MIB = 1 << 20;

  /** The usual bounds, but for an eighth of the work where not all tests are asked for. */
  private static final AnalysisContext CONTEXT =
      new AnalysisContext(
          new AnalysisContext.Bounds(Sample.times(1 << 26, 1 << 29), 4), null, Map.of());

  /** The largest of today's models; the heap is that beside what was collected. */
  @Test
  void ninetySixLayersOfAHundredAndTwentyEightHeads() {
    var collected = collector(96, 128, 36, false).collected();
    long before = used();
    var distances = HeadDistances.of(collected, CONTEXT.bounds().pairWork());
    double held = (used() - before) / MIB;
    assertThat(distances.candidates()).hasSizeLessThanOrEqualTo(HeadDistances.MOST_HEADS);
    assertThat(distances.rows()).isGreaterThanOrEqualTo(Chance.FEWEST_COMPARED);
    var analysis = AttentionAnalysis.of(collected, CONTEXT);
    double all = (used() - before) / MIB;
    System.out.printf("96 layers, 128 heads: distances %.0f MiB, analysis %.0f MiB%n", held, all);
    assertThat(held).isLessThan(128);
    assertThat(all).isLessThan(256);
    assertThat(analysis.absent().get("head_specialization.head_clusters.heads"))
        .contains("of 12288 heads, evenly spread, are compared");
    assertThat(Json.line(analysis).length()).isLessThan(64 << 20);
  }

  /** Rows far into a prompt: 1 GiB of counters, were each position to have its own. */
  @Test
  void countersOfLongPrompts() {
    long before = used();
    var collector = new AttentionCollector(Matrices.shape(96, 128), AttentionOptions.defaults());
    collector.beginPrompt(0, 1, new TokenTrack());
    float[] weights = new float[1200];
    Arrays.fill(weights, 1f / weights.length);
    var row = new AttentionRow();
    for (int l = 0; l < 96; l++) {
      for (int h = 0; h < 128; h++) {
        collector.row(
            row.at(
                l, h, 0, weights.length - 1, 0, weights.length, MemorySegment.ofArray(weights), 0));
      }
    }
    collector.endForward();
    double held = (used() - before) / MIB;
    System.out.printf("96 layers, 128 heads, a row at 1200: collected %.0f MiB%n", held);
    assertThat(held).isLessThan(256 + 224);
    assertThat(collector.collected().heads()).hasSize(96 * 128);
  }

  /** All write the same: as many pairs as there are, of which the strongest are listed. */
  @Test
  void fourThousandHeadsThatAreAllAlike() {
    var analysis = AttentionAnalysis.of(collector(1, 4096, 36, true).collected(), CONTEXT);
    var redundancy = analysis.headSpecialization().redundancyAnalysis();
    assertThat(redundancy.redundantPairsTotal()).isEqualTo(4096L * 4095 / 2);
    assertThat(redundancy.redundantPairs()).hasSize(1000);
    assertThat(redundancy.redundantPairs())
        .extracting(HeadRedundancy.Pair::redundancyType)
        .isSorted();
    assertThat(redundancy.redundantPairs().getFirst().head1()).isEqualTo(new HeadId(0, 0));
    assertThat(redundancy.redundancyScore()).isEqualTo(1);
    assertThat(analysis.absent())
        .containsKey("head_specialization.redundancy_analysis.pruning_recommendations");
    assertThat(Json.line(redundancy).length()).isLessThan(4 << 20);
  }

  /** Equal distances are the worst case of algorithms that remember neighbours. */
  @Test
  void equalDistancesAreClusteredInTime() {
    var distances = new PairValues(HeadDistances.MOST_HEADS);
    int[][] cuts = AverageLinkage.cuts(distances, 16);
    assertThat(cuts).hasDimensions(16, HeadDistances.MOST_HEADS);
    assertThat(AverageLinkage.silhouettes(distances, cuts[15])).containsOnly(0);
  }

  /** Fewer heads are compared when the bound on work is low, and those are not the first ones. */
  @Test
  void theBoundOnWorkSaysHowManyAreCompared() {
    var collected = collector(4, 32, 40, false).collected();
    var all = HeadDistances.of(collected, 1 << 29);
    assertThat(all.heads()).hasSize(128);
    var some = HeadDistances.of(collected, 1 << 20);
    assertThat(some.candidates()).hasSizeBetween(16, 100);
    assertThat(some.heads()).hasSameSizeAs(some.candidates());
    assertThat(some.candidates().getLast().id().layer()).isEqualTo(3);
    int last = some.heads().size() - 1;
    int a = all.heads().indexOf(some.heads().get(0));
    int b = all.heads().indexOf(some.heads().get(last));
    assertThat(some.divergence().get(0, last)).isCloseTo(all.divergence().get(a, b), within(0.05f));
  }

  private static AttentionCollector collector(int layers, int heads, int n, boolean alike) {
    var collector =
        new AttentionCollector(Matrices.shape(layers, heads), AttentionOptions.defaults());
    collector.beginPrompt(0, 1, new TokenTrack());
    var random = new Random(5);
    var row = new AttentionRow();
    var same = Matrices.random(n, random, 1);
    float[] output = new float[4];
    for (int l = 0; l < layers; l++) {
      for (int h = 0; h < heads; h++) {
        var own = alike ? same : Matrices.random(n, random, 1);
        var positions = new Random(alike ? 6 : random.nextLong());
        for (int q = 0; q < n; q++) {
          collector.row(row.at(l, h, 0, q, 0, q + 1, MemorySegment.ofArray(own[q]), 0));
          for (int i = 0; i < output.length; i++) output[i] = (float) positions.nextGaussian();
          collector.headOutput(0, l, h, q, output, 0, output.length);
        }
      }
    }
    collector.endForward();
    return collector;
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
