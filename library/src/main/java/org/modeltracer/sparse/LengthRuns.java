package org.modeltracer.sparse;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.modeltracer.model.AttentionRow;
import org.modeltracer.model.Subscription;
import org.modeltracer.session.TracedSession;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TraceListener;

/**
 * Runs prompts cut at several lengths, and compares what attention does.
 *
 * <p>Of a model that selects keys, attention over all of them is computed beside the selection; of
 * any other the rows are taken that its tracer traces.
 */
public final class LengthRuns {
  private final TracedSession session;
  private final ModelTracer tracer;

  private LengthRuns(TracedSession session, ModelTracer tracer) {
    this.session = session;
    this.tracer = tracer;
  }

  /**
   * Runs prompts at each length that at least one of them has.
   *
   * @param session one that does not reuse what its cache holds of earlier prompts
   * @param tracer its tracer, which traces attention
   * @param lengths tokens, at least 2 each
   */
  public static List<LengthReport> of(
      TracedSession session, ModelTracer tracer, List<int[]> prompts, List<Integer> lengths) {
    var runs = new LengthRuns(session, tracer);
    var reports = new ArrayList<LengthReport>();
    for (int length : lengths.stream().sorted().distinct().toList()) {
      List<int[]> cut =
          prompts.stream()
              .filter(prompt -> prompt.length >= length)
              .map(prompt -> Arrays.copyOf(prompt, length))
              .toList();
      if (!cut.isEmpty()) {
        LengthReport shorter = reports.isEmpty() ? null : reports.getLast();
        reports.add(new LengthReport(length, cut.size(), runs.layers(cut, shorter)));
      }
    }
    return reports;
  }

  private List<LengthReport.Layer> layers(List<int[]> prompts, @Nullable LengthReport shorter) {
    try (var trace = IndexerTrace.attach(session)) {
      if (!trace.applies()) {
        return dense(prompts, shorter);
      }
      prompts.forEach(prompt -> session.evaluate(prompt, false));
      return trace.report().layers().stream()
          .map(layer -> LengthReport.Layer.of(layer, at(shorter, layer.layer())))
          .toList();
    }
  }

  private List<LengthReport.Layer> dense(List<int[]> prompts, @Nullable LengthReport shorter) {
    var rows = new Rows();
    Subscription listening = tracer.addListener(rows);
    try {
      prompts.forEach(prompt -> session.evaluate(prompt, true));
    } finally {
      listening.close();
    }
    var layers = new ArrayList<LengthReport.Layer>();
    rows.heads.forEach(
        (layer, heads) -> {
          var reports = new ArrayList<HeadContrast>();
          heads.forEach((head, sum) -> reports.add(sum.report(head)));
          layers.add(LengthReport.Layer.dense(layer, reports, at(shorter, layer)));
        });
    return layers;
  }

  private static LengthReport.@Nullable Layer at(@Nullable LengthReport report, int layer) {
    return report == null
        ? null
        : report.layers().stream().filter(l -> l.layer() == layer).findFirst().orElse(null);
  }

  /** Adds up rows as they stream. */
  private static final class Rows implements TraceListener {
    private final Map<Integer, Map<Integer, ContrastSum>> heads = new TreeMap<>();
    private int[] positions = {};
    private float[] weights = {};

    @Override
    public void onAttentionRow(AttentionRow row) {
      if (row.sequence() != 0 || !row.causal()) {
        return;
      }
      int n = row.size();
      if (weights.length < n) {
        positions = new int[2 * n];
        weights = new float[2 * n];
      }
      for (int i = 0; i < n; i++) {
        positions[i] = row.key(i);
        weights[i] = row.weight(i);
      }
      heads
          .computeIfAbsent(row.layer(), l -> new TreeMap<>())
          .computeIfAbsent(row.head(), h -> new ContrastSum())
          .all(positions, weights, n, row.query());
    }
  }
}
