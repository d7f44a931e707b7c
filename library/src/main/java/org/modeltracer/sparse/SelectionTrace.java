package org.modeltracer.sparse;

import java.util.List;
import java.util.function.Consumer;
import org.modeltracer.model.Subscription;
import org.modeltracer.session.TracedSession;

/**
 * Shows what the indexers of a session score and select, query by query.
 *
 * <p>It looks at passes of one sequence. Close it before its session.
 */
public final class SelectionTrace implements AutoCloseable {
  private final IndexerReader reader;
  private final Subscription subscription;
  private boolean closed;

  private SelectionTrace(TracedSession session, Consumer<IndexedQuery> taker) {
    var unlimited = new Allowance(Double.POSITIVE_INFINITY);
    reader = new IndexerReader(session, unlimited, new Passing(taker));
    subscription = session.follow(reader);
  }

  /**
   * Shows all that a session computes from now on.
   *
   * @param taker gets each query of each layer, to be read during the call only
   */
  public static SelectionTrace attach(TracedSession session, Consumer<IndexedQuery> taker) {
    return new SelectionTrace(session, taker);
  }

  /** Layers of a session that attend to selected keys only, ascending. */
  public static List<SelectedLayer> layers(TracedSession session) {
    return SparseLayer.of(session.survey().prompt()).stream().map(SparseLayer::outline).toList();
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

  private record Passing(Consumer<IndexedQuery> taker) implements IndexerReader.Sink {
    @Override
    public boolean wantsAttention() {
      return false;
    }

    @Override
    public void onQuery(IndexedQuery query) {
      taker.accept(query);
    }
  }
}
