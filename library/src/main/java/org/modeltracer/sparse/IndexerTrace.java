package org.modeltracer.sparse;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.modeltracer.model.Subscription;
import org.modeltracer.session.TracedSession;

/**
 * Interprets the indexers of a session at work: what they score, what they select, and how much of
 * what attention would want over all keys that covers.
 *
 * <p>It looks at passes of one sequence. What it holds grows with the context, not with the run.
 * Close it before its session; a report can still be made then.
 */
public final class IndexerTrace implements AutoCloseable {
  private final IndexerReader reader;
  private final Subscription subscription;
  private final List<LayerTotals> totals = new ArrayList<>();
  private final MeanSum[][] overlaps;
  private final SelectionMap map;
  private final Gathering gathering = new Gathering();
  private long prompts;
  private boolean closed;

  private IndexerTrace(TracedSession session) {
    var made = new IndexerReader[1];
    subscription =
        session.follow(
            pass -> {
              made[0] =
                  new IndexerReader(
                      session.context().model().runtime(), session.survey(), pass, gathering);
              return made[0];
            });
    reader = made[0];
    for (SparseLayer layer : reader.layers()) {
      totals.add(new LayerTotals(layer.layer(), layer.unreadable()));
    }
    map = new SelectionMap(reader.layers().stream().mapToInt(SparseLayer::layer).toArray());
    overlaps = new MeanSum[totals.size()][];
    Arrays.setAll(overlaps, i -> MeanSum.several(totals.size()));
  }

  /** Interprets all that a session computes from now on. */
  public static IndexerTrace attach(TracedSession session) {
    return new IndexerTrace(session);
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

  /** Selections of the first text, to be looked at. */
  public SelectionMap map() {
    return map;
  }

  /** What has been seen so far. */
  public IndexerReport report() {
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
    private int at;

    @Override
    public void beginGraph(int queries) {
      selections = new BitSet[totals.size()][queries];
    }

    @Override
    public void beginLayer(SparseLayer layer, @Nullable IndexVectors vectors, int[] cellPositions) {
      at = 0;
      while (reader.layers().get(at).layer() != layer.layer()) {
        at++;
      }
      totals.get(at).trial().begin(layer, vectors, cellPositions);
    }

    @Override
    public void onQuery(IndexedQuery query) {
      totals.get(at).add(query);
      if (prompts <= 1) {
        map.add(at, query);
      }
      if (query.exercised()) {
        totals.get(at).trial().add(query);
        compare(query);
      }
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
