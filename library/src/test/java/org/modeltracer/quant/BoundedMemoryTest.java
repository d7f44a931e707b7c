package org.modeltracer.quant;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.modeltracer.graph.NodeInfo;
import org.modeltracer.model.Place;
import org.modeltracer.model.Site;

/** What a comparison of models of 8B parameters keeps, worked out on some of their layers. */
@Tag("alone")
class BoundedMemoryTest {
  private static final int LAYERS = 2;
  private static final int ALL_LAYERS = 32;
  private static final Map<Site, Integer> WIDTHS =
      Map.ofEntries(
          Map.entry(Site.ATTN_NORM, 4096),
          Map.entry(Site.QUERY, 4096),
          Map.entry(Site.KEY, 1024),
          Map.entry(Site.VALUE, 1024),
          Map.entry(Site.CONTEXT, 4096),
          Map.entry(Site.ATTN_OUT, 4096),
          Map.entry(Site.RESIDUAL_MID, 4096),
          Map.entry(Site.FFN_NORM, 4096),
          Map.entry(Site.FFN_GATE, 14336),
          Map.entry(Site.FFN_UP, 14336),
          Map.entry(Site.FFN_HIDDEN, 14336),
          Map.entry(Site.FFN_OUT, 4096),
          Map.entry(Site.LAYER_OUT, 4096));

  private static long allocated() {
    var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    return threads.getCurrentThreadAllocatedBytes();
  }

  @Test
  void isAFixedNumberOfBytesForEachDimensionAndNoneForEachToken() {
    List<NodeInfo> nodes = new ArrayList<>();
    for (int layer = 0; layer < LAYERS; layer++) {
      for (Map.Entry<Site, Integer> node : WIDTHS.entrySet()) {
        var place = new Place(node.getKey(), layer);
        String name = place.toString();
        nodes.add(new NodeInfo(nodes.size(), place, name, "MUL_MAT", name, node.getValue(), null));
      }
    }
    List<NodePair> pairs = NodePair.of(nodes, nodes);
    assertThat(pairs).hasSize(LAYERS * WIDTHS.size());
    long before = allocated();
    var tally = new ErrorTally(pairs, null, 1e9);
    long sums = allocated() - before;
    assertThat(sums * ALL_LAYERS / LAYERS).isBetween(80_000_000L, 120_000_000L);
    int rows = 8;
    var reference = MemorySegment.ofArray(new float[rows * 14336]);
    reference.fill((byte) 0x3f);
    var other = MemorySegment.ofArray(new float[rows * 14336]);
    other.fill((byte) 0x3e);
    read(tally, pairs, rows, reference, other);
    long warm = allocated();
    for (int i = 0; i < 5; i++) {
      read(tally, pairs, rows, reference, other);
    }
    assertThat(allocated() - warm).isLessThan(1_000_000);
  }

  private static void read(
      ErrorTally tally,
      List<NodePair> pairs,
      int rows,
      MemorySegment reference,
      MemorySegment other) {
    for (NodePair pair : pairs) {
      tally.compare(pair, 0, rows, pair.reference().width(), reference, other);
    }
  }
}
