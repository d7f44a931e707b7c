package org.modeltracer.session;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.IntFunction;
import org.modeltracer.model.AttentionRow;
import org.modeltracer.trace.TraceListener;

/** Keys that received attention, pass by pass: sequence of the query, position of the key. */
final class SeenKeys implements TraceListener {
  private static final double THRESHOLD = 0.01;

  final List<Set<Long>> passes = new ArrayList<>();

  @Override
  public void onForward(int forward, int first, int count) {
    passes.add(new HashSet<>());
  }

  @Override
  public void onAttentionRow(AttentionRow row) {
    for (int i = 0; i < row.size(); i++) {
      if (row.weight(i) >= THRESHOLD) {
        passes.getLast().add((long) row.sequence() << 32 | row.key(i));
      }
    }
  }

  /** Tokens behind the keys of a pass; several passes together are of sequence 0 alone. */
  int accessed(int pass, IntFunction<List<CacheBooks.Token>> tokensOf) {
    if (passes.size() > 1) {
      return passes.get(pass).size();
    }
    var found = new HashSet<CacheBooks.Token>();
    for (long key : passes.get(pass)) {
      tokensOf.apply((int) (key >> 32)).stream()
          .filter(t -> t.position == (int) key)
          .forEach(found::add);
    }
    return found.size();
  }
}
