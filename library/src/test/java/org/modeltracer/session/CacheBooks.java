package org.modeltracer.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.modeltracer.llama.CacheTruth;
import tools.jackson.databind.JsonNode;

/** Tokens and states as they are booked beside a session, and how they are compared with it. */
final class CacheBooks {
  private CacheBooks() {}

  /** A token in the cache, and the tokens it was computed in sight of, itself last. */
  static final class Token {
    final int id;
    int position;
    final Set<Integer> owners = new HashSet<>();
    final List<Integer> sight = new ArrayList<>();

    Token(int id, int position, int owner) {
      this.id = id;
      this.position = position;
      owners.add(owner);
    }
  }

  /** What a state must be. */
  record State(
      int used, long bytes, int evictions, Double hitRate, int oldest, double fragmentation) {}

  /** Whether all caches hold sequence 0 up to there. */
  static boolean hold(List<CellLedger> ledgers, int to) {
    List<Integer> wanted = IntStream.range(0, to).boxed().toList();
    return ledgers.stream().allMatch(l -> l.positions(0).containsAll(wanted));
  }

  /** Micro-batches: in order, or of as many tokens from neighbouring sequences as all have. */
  static List<List<Token>> parts(List<Token> batch, boolean streams, int most) {
    var parts = new ArrayList<List<Token>>();
    var left = new ArrayList<>(batch);
    while (!left.isEmpty()) {
      var part = new ArrayList<Token>();
      if (streams) {
        var taking = new TreeMap<Integer, List<Token>>();
        for (Token t : left) {
          int s = t.owners.iterator().next();
          boolean fits = taking.isEmpty() || s == taking.lastKey() + 1;
          if (!taking.containsKey(s) && fits && taking.size() <= most) {
            taking.put(s, left.stream().filter(o -> o.owners.contains(s)).toList());
          }
        }
        int each = taking.values().stream().mapToInt(List::size).min().orElseThrow();
        int n = Math.max(1, Math.min(each, most / taking.size()));
        taking.values().forEach(own -> part.addAll(own.subList(0, n)));
      } else {
        part.addAll(left.subList(0, Math.min(most, left.size())));
      }
      left.removeAll(part);
      parts.add(part);
    }
    return parts;
  }

  /** Compares a recorded state with what it must be. */
  static void compare(State want, JsonNode is, int capacity, int accessed) {
    assertThat(is.get("cells_used").asInt()).isEqualTo(want.used());
    assertThat(is.get("capacity").asInt()).isEqualTo(capacity);
    assertThat(is.get("utilization").asDouble()).isEqualTo((double) want.used() / capacity);
    assertThat(is.get("bytes").asLong()).isEqualTo(want.bytes());
    assertThat(is.get("evictions").asInt()).isEqualTo(want.evictions());
    assertThat(is.get("oldest_position").asInt()).isEqualTo(want.oldest());
    assertThat(is.get("fragmentation").asDouble()).isCloseTo(want.fragmentation(), within(1e-12));
    assertThat(is.get("accessed_positions").asInt()).isEqualTo(accessed);
    if (want.hitRate() == null) {
      assertThat(is.get("hit_rate").isNull()).isTrue();
    } else {
      assertThat(is.get("hit_rate").asDouble()).isEqualTo(want.hitRate());
    }
  }

  /** Compares the cells in use with the books, and with what llama.cpp says. */
  static void compareCells(TracedSession session, List<CellLedger> ledgers, int sequences) {
    List<Integer> used =
        session.cache().layout().all().stream().map(g -> g.cells().used()).sorted().toList();
    assertThat(used).isEqualTo(ledgers.stream().map(CellLedger::used).sorted().toList());
    if (!CacheTruth.isTold(session.context())) {
      assertThat(CacheTruth.usedCells(session.context())).isEqualTo(ledgers.getFirst().used());
      return;
    }
    for (int s = 0; s < sequences; s++) {
      List<List<Integer>> truth = CacheTruth.positions(session.context(), s);
      assertThat(truth).hasSameSizeAs(ledgers);
      for (int i = 0; i < truth.size(); i++) {
        assertThat(truth.get(i)).as("sequence %d", s).isEqualTo(ledgers.get(i).visible(s));
      }
      List<Integer> smallest = ledgers.getLast().positions(s);
      assertThat(CacheTruth.firstPosition(session.context(), s))
          .isEqualTo(smallest.stream().mapToInt(p -> p).min().orElse(-1));
    }
  }
}
