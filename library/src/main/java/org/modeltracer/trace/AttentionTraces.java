package org.modeltracer.trace;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.AttentionRules;
import org.modeltracer.anomaly.Finding;
import org.modeltracer.anomaly.HeadHistory;
import org.modeltracer.anomaly.Thresholds;
import org.modeltracer.kernels.Lanes;
import org.modeltracer.model.AttentionRow;
import org.modeltracer.model.SplitMix;

/** What the rows of attention said: sums per head, and a seeded sample of rows. */
final class AttentionTraces {
  /** Rows kept of a run of any length. */
  static final int SAMPLE = 256;

  private final Thresholds limits;
  private final TracerConfig config;
  private final Lane[] lanes = new Lane[Lanes.COUNT];
  private @Nullable Head[][] cells = {};

  /** What the rows of one lane need and share. */
  private static final class Lane {
    final RowScan scan;
    final BottomSample<AttentionWeightTrace> sample;
    long rows;

    Lane(TracerConfig config) {
      scan = new RowScan(config.topK(), config.weightThreshold());
      sample = new BottomSample<>(SAMPLE, config.seed());
    }
  }

  private static final class Head {
    final HeadHistory history = new HeadHistory();
    long rows;
    long ratios;
    long uniform;
    double entropy;
    double normalized;
    double sink;
    double recency;
    double max;
    boolean changed;
  }

  /** Takes the heads that have something to report. */
  interface HeadReport {
    void report(int layer, int head, Finding finding);
  }

  AttentionTraces(TracerConfig config) {
    limits = config.thresholds();
    this.config = config;
    for (int i = 0; i < lanes.length; i++) {
      lanes[i] = new Lane(config);
    }
  }

  boolean wants(AttentionRow row) {
    return config.wantsLayer(row.layer()) && config.wantsHead(row.head());
  }

  /**
   * Counts a row; the other lane's may be counted at the same time.
   *
   * @param forward number of its pass
   */
  @Nullable Finding record(AttentionRow row, boolean learnedSink, int forward) {
    Lane lane = lanes[row.lane()];
    lane.scan.scan(row);
    lane.rows++;
    Finding finding = AttentionRules.judgeRow(row.size(), lane.scan.sum, learnedSink, limits);
    if (finding == null) {
      count(row, lane.scan, head(row.layer(), row.head()));
      if (lane.sample.admits(number(row, forward))) {
        lane.sample.keep(lane.scan.trace(row, limits.uniformEntropy()));
      }
    }
    return finding;
  }

  private static long number(AttentionRow row, int forward) {
    long tokens = SplitMix.mix((long) forward << 32 | row.sequence()) + row.query();
    return SplitMix.mix(tokens) ^ ((long) row.layer() << 32 | row.head());
  }

  private void count(AttentionRow row, RowScan scan, Head head) {
    int keys = row.size();
    head.rows++;
    head.changed = true;
    head.entropy += scan.entropy;
    if (keys < 2) {
      return;
    }
    double normalized = scan.normalized(keys);
    head.ratios++;
    head.normalized += normalized;
    head.sink += scan.sink;
    head.recency += scan.recency;
    head.max += scan.max;
    head.uniform += normalized > limits.uniformEntropy() ? 1 : 0;
    if (keys >= limits.attentionKeys()) {
      boolean all = scan.max >= limits.collapseWeight() && scan.favourite > 0;
      head.history.accept(normalized, all ? row.key(scan.favourite) : -1);
    }
  }

  private Head head(int layer, int head) {
    if (layer >= cells.length || head >= cells[layer].length) {
      makeRoom(layer, head + 1);
    }
    Head cell = cells[layer][head];
    if (cell == null) {
      cells[layer][head] = cell = new Head();
    }
    return cell;
  }

  /** Makes room for the heads of a layer; to be done before lanes are recorded at once. */
  void makeRoom(int layer, int heads) {
    if (layer >= cells.length) {
      int known = cells.length;
      cells = Arrays.copyOf(cells, layer + 1);
      Arrays.fill(cells, known, cells.length, new Head[0]);
    }
    if (heads > cells[layer].length) {
      cells[layer] = Arrays.copyOf(cells[layer], heads);
    }
  }

  /** Judges the heads that had rows since the last call. */
  void judgeHeads(HeadReport report) {
    for (int layer = 0; layer < cells.length; layer++) {
      for (int h = 0; h < cells[layer].length; h++) {
        Head head = cells[layer][h];
        if (head != null && head.changed) {
          head.changed = false;
          Finding finding = AttentionRules.judgeHead(head.history, limits);
          if (finding != null) {
            report.report(layer, h, finding);
          }
        }
      }
    }
  }

  /** Number of rows seen. */
  long rows() {
    long rows = 0;
    for (Lane lane : lanes) {
      rows += lane.rows;
    }
    return rows;
  }

  AttentionSummary summary() {
    var sample = lanes[0].sample.with(lanes[1].sample).kept();
    sample.sort(
        Comparator.comparingInt(AttentionWeightTrace::layer)
            .thenComparingInt(AttentionWeightTrace::head)
            .thenComparingInt(AttentionWeightTrace::queryPosition));
    return new AttentionSummary(rows(), heads(), sample.size(), List.copyOf(sample));
  }

  private List<AttentionSummary.Head> heads() {
    List<AttentionSummary.Head> list = new ArrayList<>();
    for (int layer = 0; layer < cells.length; layer++) {
      for (int h = 0; h < cells[layer].length; h++) {
        Head head = cells[layer][h];
        if (head != null) {
          list.add(trace(layer, h, head));
        }
      }
    }
    return list;
  }

  private static AttentionSummary.Head trace(int layer, int index, Head head) {
    double n = head.ratios;
    return new AttentionSummary.Head(
        layer,
        index,
        head.rows,
        head.entropy / head.rows,
        head.normalized / n,
        head.sink / n,
        head.recency / n,
        head.max / n,
        head.uniform);
  }
}
