package org.modeltracer.session;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.modeltracer.model.AttentionRow;
import org.modeltracer.testing.Listening;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TraceListener;

/** Everything a session hands on, copied: the last of each kind and place. */
final class Seen implements TraceListener {
  /** Whose row it is. */
  record RowId(int layer, int head, int sequence, int query) {}

  /** A row: positions of the keys, and the weights on them. */
  record Row(int[] keys, float[] weights) {
    double sum() {
      double sum = 0;
      for (float w : weights) {
        sum += w;
      }
      return sum;
    }
  }

  /** Whose state or logits they are; layer -1 for the embedding. */
  record StateId(int layer, int sequence, int position) {}

  final Map<RowId, Row> rows = new HashMap<>();
  final Map<StateId, float[]> states = new HashMap<>();
  final Map<StateId, float[]> logits = new HashMap<>();

  /** Listens to a session and its tracer from now on. */
  static Seen of(TracedSession session, ModelTracer tracer) {
    var seen = new Seen();
    tracer.addListener(seen);
    statesOf(session, seen);
    logitsOf(session, seen);
    return seen;
  }

  /** Listens to a session's logits from now on, which takes no observing. */
  static void logitsOf(TracedSession session, Seen seen) {
    session.listen(
        Listening.logits(
            (sequence, position, values) ->
                seen.logits.put(
                    new StateId(0, sequence, position), values.toArray(ValueLayout.JAVA_FLOAT))));
  }

  /** Listens to a session's states from now on. */
  static void statesOf(TracedSession session, Seen seen) {
    session.listen(
        Listening.states(
            (layer, sequence, position, values, offset, width) ->
                seen.states.put(
                    new StateId(layer, sequence, position),
                    values.asSlice(offset, 4L * width).toArray(ValueLayout.JAVA_FLOAT))));
  }

  /** What has been seen so far. */
  static Seen copyOf(Seen seen) {
    var copy = new Seen();
    copy.rows.putAll(seen.rows);
    copy.states.putAll(seen.states);
    copy.logits.putAll(seen.logits);
    return copy;
  }

  @Override
  public void onAttentionRow(AttentionRow row) {
    int[] keys = new int[row.size()];
    float[] weights = new float[row.size()];
    for (int i = 0; i < keys.length; i++) {
      keys[i] = row.key(i);
      weights[i] = row.weight(i);
    }
    rows.put(
        new RowId(row.layer(), row.head(), row.sequence(), row.query()), new Row(keys, weights));
  }

  /** Requires another run to have shown the very same numbers. */
  void assertSameBits(Seen other) {
    assertThat(rows.keySet()).isEqualTo(other.rows.keySet());
    rows.forEach(
        (id, row) -> {
          same(id, Arrays.equals(row.keys(), other.rows.get(id).keys()));
          same(id, Arrays.equals(row.weights(), other.rows.get(id).weights()));
        });
    assertThat(states.keySet()).isEqualTo(other.states.keySet());
    states.forEach((id, s) -> same(id, Arrays.equals(s, other.states.get(id))));
    assertThat(logits.keySet()).isEqualTo(other.logits.keySet());
    logits.forEach((id, s) -> same(id, Arrays.equals(s, other.logits.get(id))));
  }

  private static void same(Object id, boolean same) {
    assertThat(same).as("%s", id).isTrue();
  }

  /** Requires a row to be over the same keys as another, and no weight further off. */
  static void requireNear(Object id, Row is, Row want, double tolerance) {
    assertThat(is).as("%s", id).isNotNull();
    assertThat(is.keys()).as("%s", id).isEqualTo(want.keys());
    double worst = 0;
    for (int i = 0; i < want.weights().length; i++) {
      double d = Math.abs(is.weights()[i] - want.weights()[i]);
      worst = Double.isNaN(d) ? Double.POSITIVE_INFINITY : Math.max(worst, d);
    }
    assertThat(worst).as("%s", id).isLessThan(tolerance);
  }

  void clear() {
    rows.clear();
    states.clear();
    logits.clear();
  }
}
