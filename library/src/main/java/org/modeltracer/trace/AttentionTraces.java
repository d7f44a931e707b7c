package org.modeltracer.trace;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.AttentionRules;
import org.modeltracer.anomaly.Finding;
import org.modeltracer.anomaly.HeadHistory;
import org.modeltracer.anomaly.Thresholds;
import org.modeltracer.model.AttentionRow;

/** What the rows of attention said: sums per head, and a seeded sample of rows. */
final class AttentionTraces {
  /** Rows kept of a run of any length. */
  static final int SAMPLE = 256;

  private final Thresholds limits;
  private final TracerConfig config;
  private final RowScan scan;
  private final Reservoir<AttentionWeightTrace> sample;
  private @Nullable Head[][] cells = {};
  private long rows;

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
    scan = new RowScan(config.topK(), config.weightThreshold());
    sample = new Reservoir<>(SAMPLE, config.seed());
  }

  boolean wants(AttentionRow row) {
    return config.wantsLayer(row.layer()) && config.wantsHead(row.head());
  }

  @Nullable Finding record(AttentionRow row, boolean learnedSink) {
    scan.scan(row);
    rows++;
    Finding finding = AttentionRules.judgeRow(row.size(), scan.sum, learnedSink, limits);
    if (finding == null) {
      count(row, head(row.layer(), row.head()));
      if (sample.admits()) {
        sample.keep(scan.trace(row, limits.uniformEntropy()));
      }
    }
    return finding;
  }

  private void count(AttentionRow row, Head head) {
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
    if (layer >= cells.length) {
      int known = cells.length;
      cells = Arrays.copyOf(cells, layer + 1);
      Arrays.fill(cells, known, cells.length, new Head[0]);
    }
    if (head >= cells[layer].length) {
      cells[layer] = Arrays.copyOf(cells[layer], head + 1);
    }
    Head cell = cells[layer][head];
    if (cell == null) {
      cells[layer][head] = cell = new Head();
    }
    return cell;
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
    return rows;
  }

  AttentionSummary summary() {
    return new AttentionSummary(rows, heads(), sample.kept().size(), List.copyOf(sample.kept()));
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
