package org.modeltracer.sparse;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.anomaly.Finding;
import org.modeltracer.anomaly.Thresholds;
import org.modeltracer.model.Place;
import org.modeltracer.model.Site;
import org.modeltracer.model.Subscription;
import org.modeltracer.session.TracedSession;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.SummarySection;

/**
 * Interprets the indexers of a session at work: what they score, what they select, and how much of
 * what attention would want over all keys that covers.
 *
 * <p>It looks at passes of one sequence. What it holds grows with the context, not with the run.
 * Close it before its session; a report can still be made then.
 */
public final class IndexerTrace implements AutoCloseable {
  /** Multiplications for each query beside a run: some hundredths of a second. */
  private static final double EACH = 3e7;

  private final @Nullable ModelTracer tracer;
  private final IndexerReader reader;
  private final Subscription subscription;
  private final List<LayerTotals> totals = new ArrayList<>();
  private final MeanSum[][] overlaps;
  private final SelectionMap map;
  private final Object lock = new Object();
  private final Gathering gathering = new Gathering();
  private long prompts;
  private boolean closed;

  private IndexerTrace(
      TracedSession session, Allowance allowance, @Nullable ModelTracer anomalies) {
    tracer = anomalies;
    reader = new IndexerReader(session, allowance, gathering);
    subscription = session.follow(reader);
    for (SparseLayer layer : reader.layers()) {
      totals.add(new LayerTotals(layer.layer(), layer.compressed(), layer.unreadable()));
    }
    map = new SelectionMap(reader.layers().stream().mapToInt(SparseLayer::layer).toArray());
    overlaps = new MeanSum[totals.size()][];
    Arrays.setAll(overlaps, i -> MeanSum.several(totals.size()));
  }

  /** Interprets all that a session computes from now on. */
  public static IndexerTrace attach(TracedSession session) {
    return within(session, new Allowance(Double.POSITIVE_INFINITY), null);
  }

  /** Interprets what an allowance lets it; a tracer is told of anomalies. */
  static IndexerTrace within(
      TracedSession session, Allowance allowance, @Nullable ModelTracer anomalies) {
    return new IndexerTrace(session, allowance, anomalies);
  }

  /**
   * Interprets what a session computes beside its tracer, as far as that takes little of the time:
   * summaries have a section {@code indexer}, and a layer that selects the wrong keys is an anomaly
   * {@code indexer_recall}.
   *
   * @return empty where no layer of the model attends to selected keys only
   */
  public static Optional<IndexerTrace> beside(TracedSession session, ModelTracer tracer) {
    var trace = within(session, new Allowance(EACH), tracer);
    if (!trace.applies()) {
      trace.close();
      return Optional.empty();
    }
    tracer.addAnalysis(SummarySection.INDEXER, () -> IndexerSection.of(trace.report()));
    return Optional.of(trace);
  }

  /** Whether any layer of the model attends to selected keys only. */
  public boolean applies() {
    return !totals.isEmpty();
  }

  /** A text begins; without it, all that runs counts as one. */
  public void begin() {
    prompts++;
  }

  /** Adds what another trace of the same model has seen. */
  public void merge(IndexerTrace other) {
    if (other.totals.size() != totals.size()) {
      throw new IllegalArgumentException("traces of different models cannot be merged");
    }
    prompts += other.prompts;
    for (int i = 0; i < totals.size(); i++) {
      totals.get(i).merge(other.totals.get(i));
      for (int j = 0; j < totals.size(); j++) {
        overlaps[i][j].merge(other.overlaps[i][j]);
      }
    }
  }

  /** Selections of the first text so far, to be looked at. */
  public SelectionMap.Picture picture() {
    synchronized (lock) {
      return map.picture();
    }
  }

  /** What has been seen so far. */
  public IndexerReport report() {
    synchronized (lock) {
      return reported();
    }
  }

  private IndexerReport reported() {
    List<IndexedLayer> layers = totals.stream().map(LayerTotals::report).toList();
    boolean exercised = layers.stream().anyMatch(layer -> layer.exercised() > 0);
    int k = layers.stream().mapToInt(IndexedLayer::topK).min().orElse(0);
    String why =
        exercised || layers.isEmpty()
            ? null
            : "not exercised: no query saw more keys than the %d that are selected; a longer prompt tests the indexer"
                .formatted(k);
    return new IndexerReport(Math.max(1, prompts), exercised, why, layers, overlap());
  }

  private double @Nullable [][] overlap() {
    int n = totals.size();
    if (n == 0 || overlaps[0][0].count() == 0) {
      return null;
    }
    var means = new double[n][n];
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < n; j++) {
        Double mean = overlaps[i][j].mean();
        means[i][j] = mean == null ? Double.NaN : mean;
      }
    }
    return means;
  }

  /** Takes the trace off its session. */
  @Override
  public void close() {
    if (!closed) {
      closed = true;
      subscription.close();
      reader.close();
    }
  }

  /** Adds up what the reader reads. */
  private final class Gathering implements IndexerReader.Sink {
    private BitSet[][] selections = {};
    private final BitSet judged = new BitSet();
    private int at;

    @Override
    public void beginGraph(int queries) {
      selections = new BitSet[totals.size()][queries];
    }

    @Override
    public void beginLayer(SparseLayer layer, @Nullable IndexVectors vectors, int[] cellPositions) {
      at = index(layer);
      totals.get(at).trial().begin(layer, vectors, cellPositions);
    }

    @Override
    public void onPassedOver(SparseLayer layer, boolean exercised) {
      synchronized (lock) {
        totals.get(index(layer)).passOver(exercised);
        if (prompts <= 1) {
          map.leaveOut();
        }
      }
    }

    @Override
    public void onHead(IndexedQuery query, int head, float[] weights) {
      synchronized (lock) {
        totals.get(at).contrast(query, head, weights);
      }
    }

    @Override
    public void onQuery(IndexedQuery query) {
      synchronized (lock) {
        totals.get(at).add(query);
        if (prompts <= 1) {
          map.add(at, query);
        }
        if (query.exercised()) {
          totals.get(at).trial().add(query);
          compare(query);
        }
      }
    }

    @Override
    public void endLayer(SparseLayer layer) {
      if (tracer == null || judged.get(at)) {
        return;
      }
      // Not within the lock: who makes a summary has the tracer's, and waits for this one.
      Finding finding = judge(tracer.config().thresholds());
      if (finding != null) {
        judged.set(at);
        tracer.report(
            Anomaly.of(finding.at("layer " + layer.layer()))
                .place(new Place(Site.ATTENTION, layer.layer()))
                .forward((int) tracer.summary().totalForwards() - 1)
                .build());
      }
    }

    private @Nullable Finding judge(Thresholds limits) {
      synchronized (lock) {
        return totals.get(at).judge(limits);
      }
    }

    /** The layer's index among those that select, in whichever graph it was found. */
    private int index(SparseLayer layer) {
      int index = 0;
      while (reader.layers().get(index).layer() != layer.layer()) {
        index++;
      }
      return index;
    }

    private void compare(IndexedQuery query) {
      var selection = new BitSet();
      for (int i = 0; i < query.keys; i++) {
        if (query.selected[i]) {
          selection.set(query.positions[i]);
        }
      }
      selections[at][query.row] = selection;
      for (int other = 0; other <= at; other++) {
        BitSet earlier = selections[other][query.row];
        if (earlier != null && !earlier.isEmpty() && !selection.isEmpty()) {
          var shared = (BitSet) selection.clone();
          shared.and(earlier);
          overlaps[at][other].add((double) shared.cardinality() / selection.cardinality());
          if (other != at) {
            overlaps[other][at].add((double) shared.cardinality() / earlier.cardinality());
          }
        }
      }
    }
  }
}
