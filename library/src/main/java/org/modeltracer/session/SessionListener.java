package org.modeltracer.session;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Set;
import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.model.Place;
import org.modeltracer.model.Site;
import org.modeltracer.probe.NodeValues;

/**
 * Follows a session as it runs, beside its tracer.
 *
 * <p>All calls come on the runtime's native thread. In a pass, nodes, rows and states come in the
 * order in which the graph computes them, then logits in the order of the batch, then the anomalous
 * pass if it was one; prompt progress comes between passes, a shift before the positions move. For
 * each event listeners are called in the order in which they were added; one that is added or
 * removed during a call counts from the next event on, places that nobody watched before from the
 * next pass on. What listeners throw ends the pass.
 *
 * <p>A listener may ask the session what it is, and {@link TracedSession#cancel} it. What runs the
 * model, reads its cache or closes anything throws an {@link IllegalStateException} that says busy.
 *
 * @see TracedSession#listen
 */
public interface SessionListener {
  /**
   * Kinds of places whose rows this wants, asked when it is added: the session watches them from
   * then on. Rows of attention come to listeners of the tracer instead.
   */
  default Set<Site> rows() {
    return Set.of();
  }

  /** Keys of nodes that this wants, likewise; attention only where the tracer traces it. */
  default Set<String> nodes() {
    return Set.of();
  }

  /** Whether this wants the residual stream, likewise. */
  default boolean states() {
    return false;
  }

  /**
   * One token's state after a layer, that of the decoder; to be read during the call only.
   *
   * @param layer layer index, -1 for the embedding
   * @param sequence sequence of the token
   * @param position position of the token
   * @param values holds {@code width} float32 values at byte {@code offset}
   */
  default void onState(
      int layer, int sequence, int position, MemorySegment values, long offset, int width) {}

  /**
   * One token's values at a place of {@link #rows}; to be read during the call only. Those of an
   * encoder before the decoder are left out.
   *
   * @param place the place, such as the context of a layer: {@code [head, value width]}
   * @param sequence sequence of the token
   * @param position position of the token
   * @param values holds {@code width} float32 values at byte {@code offset}
   */
  default void onRow(
      Place place, int sequence, int position, MemorySegment values, long offset, int width) {}

  /** A node of {@link #nodes} has been computed; to be read during the call only. */
  default void onNode(NodeValues values) {}

  /**
   * Scores of the token that follows {@code position}: {@code [vocabulary]} float32, to be read
   * during the call only.
   *
   * @param chosen the token that was chosen by them, -1 where none was
   */
  default void onLogits(int sequence, int position, MemorySegment logits, int chosen) {}

  /**
   * A text begins: all tokens of its prompt, with their position and what they stand for. Ended by
   * {@link #onEnd} or {@link #onFailure}.
   */
  default void onBegin(List<Generation.Token> prompt) {}

  /** A token was generated, and is about to be handed to whoever asked for it. */
  default void onToken(Generation.Token token) {}

  /** The text has ended; of one that was only evaluated no token was generated. */
  default void onEnd(Generation result) {}

  /** The text was ended by what llama.cpp or a listener threw, which the caller gets next. */
  default void onFailure(Throwable failure) {}

  /** {@code done} of a prompt's {@code all} tokens have been computed. */
  default void onPrompt(int done, int all) {}

  /**
   * A pass has ended whose worst anomaly was this.
   *
   * @param replay the pass, which can be run again during this call
   */
  default void onAnomalousPass(Anomaly worst, Replay replay) {}

  /** Cached positions {@code from <= p < to} of a sequence are about to move by {@code delta}. */
  default void onShift(int sequence, int from, int to, int delta) {}
}
