package org.modeltracer.session;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.modeltracer.cache.CellMap;
import org.modeltracer.llama.LlamaException;

/**
 * Random work on a session's cache, with a record of which tokens each sequence has.
 *
 * <p>The record knows nothing of cells: a token has a position and belongs to sequences. Each pass
 * is checked against it: a query sees all tokens of its sequence up to itself, and no others.
 */
final class CacheScript {
  /** A token that was computed and is not forgotten. */
  private static final class Token {
    final int id;
    int position;
    final Set<Integer> owners = new HashSet<>();

    Token(int id, int position, int owner) {
      this.id = id;
      this.position = position;
      owners.add(owner);
    }
  }

  private final TracedSession session;
  private final Seen seen;
  private final Random random;
  private final int sequences;
  private final boolean unified;
  private final int window;
  private final Set<Integer> windowed;
  private final int most;
  private final List<Token> tokens = new ArrayList<>();
  private final Set<Integer> altered = new HashSet<>();
  int passes;
  int refused;
  int shifts;
  int copies;

  /**
   * A script.
   *
   * @param window tokens that windowed layers see
   * @param windowed which layers those are
   * @param most tokens added in a pass
   */
  CacheScript(
      TracedSession session,
      Seen seen,
      long seed,
      boolean unified,
      int window,
      Set<Integer> windowed,
      int most) {
    this.session = session;
    this.seen = seen;
    this.random = new Random(seed);
    this.sequences = session.context().options().sequences().count();
    this.unified = unified;
    this.window = window;
    this.windowed = windowed;
    this.most = most;
  }

  private List<Token> of(int sequence) {
    return tokens.stream()
        .filter(t -> t.owners.contains(sequence))
        .sorted(Comparator.comparingInt(t -> t.position))
        .toList();
  }

  private int next(int sequence) {
    List<Token> own = of(sequence);
    return own.isEmpty() ? 0 : own.getLast().position + 1;
  }

  /** Adds tokens to some sequences, of different numbers, and checks every row. */
  void add() {
    var chosen = new ArrayList<Integer>();
    for (int s = 0; s < sequences; s++) {
      if (chosen.isEmpty() || random.nextInt(3) == 0) {
        chosen.add(random.nextInt(2) == 0 ? s : random.nextInt(sequences));
      }
    }
    var order = new ArrayList<Integer>();
    for (int s : new HashSet<>(chosen)) {
      for (int n = 1 + random.nextInt(most); n > 0; n--) {
        order.add(s);
      }
    }
    Collections.shuffle(order, random);
    if (random.nextBoolean()) {
      order.sort(null);
    }
    add(order);
  }

  /** Adds one token for each entry to the sequence it names. */
  void add(List<Integer> order) {
    var added = new ArrayList<Token>();
    int[] next = new int[sequences];
    Arrays.setAll(next, this::next);
    for (int s : order) {
      added.add(new Token(random.nextInt(5), next[s]++, s));
    }
    seen.clear();
    try {
      session.pass(
          batch -> {
            for (int i = 0; i < order.size(); i++) {
              Token t = added.get(i);
              batch.add(t.id, t.position, order.get(i), random.nextBoolean());
            }
          });
    } catch (LlamaException e) {
      assertThat(e).hasMessageContaining("no room in the KV cache");
      // Micro-batches before the one that found no room may have stayed: drop the sequences.
      new HashSet<>(order).forEach(s -> remove(s, 0, CellMap.END));
      refused++;
      return;
    }
    tokens.addAll(added);
    passes++;
    added.forEach(this::check);
    assertThat(session.cost().droppedKeys()).isZero();
    if (windowed.isEmpty()) {
      assertThat(session.cache().cellsUsed()).isEqualTo(tokens.size());
    }
  }

  private void check(Token token) {
    int sequence = token.owners.iterator().next();
    int[] all = of(sequence).stream().mapToInt(t -> t.position).toArray();
    int rows = 0;
    for (int layer : session.layers()) {
      int from = windowed.contains(layer) ? token.position - window + 1 : 0;
      int[] keys = Arrays.stream(all).filter(p -> p <= token.position && p >= from).toArray();
      for (int head = 0; ; head++) {
        var id = new Seen.RowId(layer, head, sequence, token.position);
        Seen.Row row = seen.rows.get(id);
        if (row == null) {
          break;
        }
        rows++;
        assertThat(row.keys()).as("%s", id).isEqualTo(keys);
        assertThat(row.sum()).as("%s", id).isBetween(0.999, 1.001);
      }
    }
    assertThat(rows).isEqualTo(4 * session.layers().size());
  }

  /** Removes, keeps, copies or shifts. */
  void disturb() {
    int s = random.nextInt(sequences);
    int size = next(s);
    int at = size == 0 ? 0 : random.nextInt(size);
    switch (random.nextInt(8)) {
      case 0 -> remove(s, 0, CellMap.END);
      case 1 -> remove(s, at, CellMap.END);
      case 2 -> remove(s, at, Math.min(size, at + 1 + random.nextInt(4)));
      case 3 -> {
        session.cache().keep(s);
        for (int other = 0; other < sequences; other++) {
          if (other != s) {
            forget(other, 0, CellMap.END);
          }
        }
      }
      case 4, 5 -> copy(s, (s + 1 + random.nextInt(sequences - 1)) % sequences, at);
      default -> shift(s, at);
    }
  }

  /** Removes all but the first tokens, as prefix reuse does. */
  void remove(int sequence, int from, int to) {
    assertThat(session.cache().remove(sequence, from, to)).isTrue();
    forget(sequence, from, to);
  }

  private void forget(int sequence, int from, int to) {
    boolean tail = to < 0 || to >= next(sequence);
    boolean some = false;
    for (Token t : of(sequence)) {
      if (t.position >= from && (to < 0 || t.position < to)) {
        t.owners.remove(sequence);
        some = true;
      }
    }
    tokens.removeIf(t -> t.owners.isEmpty());
    if (some && !tail) {
      altered.add(sequence);
    }
    if (of(sequence).isEmpty()) {
      altered.remove(sequence);
    }
  }

  private void copy(int source, int target, int part) {
    remove(target, 0, CellMap.END);
    int to = unified && random.nextBoolean() ? part : CellMap.END;
    session.cache().copy(source, target, 0, to);
    for (Token t : of(source)) {
      if (to >= 0 && t.position >= to) {
        continue;
      }
      if (unified) {
        t.owners.add(target);
      } else {
        tokens.add(new Token(t.id, t.position, target));
      }
    }
    if (altered.contains(source)) {
      altered.add(target);
    }
    copies++;
  }

  /** Context shift: some tokens go, those after them move into their place. */
  private void shift(int sequence, int at) {
    int gap = 1 + random.nextInt(3);
    List<Token> own = of(sequence);
    List<Token> moved = own.stream().filter(t -> t.position >= at + gap).toList();
    if (!session.cache().canShift()
        || moved.isEmpty()
        || own.stream().anyMatch(t -> t.owners.size() > 1)) {
      return;
    }
    remove(sequence, at, at + gap);
    session.cache().shift(sequence, at + gap, CellMap.END, -gap);
    moved.forEach(t -> t.position -= gap);
    altered.add(sequence);
    shifts++;
  }

  /**
   * What came of a sequence.
   *
   * @param ids its tokens, at positions 0, 1, …
   * @param rows rows of the last one
   * @param whole whether each was computed in sight of all before it
   */
  record Outcome(int[] ids, Map<Seen.RowId, Seen.Row> rows, boolean whole) {}

  /** Adds a last token to each sequence without gaps, and tells what each then is. */
  List<Outcome> finish() {
    var outcomes = new ArrayList<Outcome>();
    for (int s = 0; s < sequences; s++) {
      List<Token> own = of(s);
      boolean whole = own.isEmpty() || own.getLast().position == own.size() - 1;
      if (whole) {
        int before = refused;
        add(List.of(s));
        if (refused > before) {
          continue;
        }
        int[] ids = of(s).stream().mapToInt(t -> t.id).toArray();
        outcomes.add(new Outcome(ids, Map.copyOf(seen.rows), !altered.contains(s)));
      }
    }
    return outcomes;
  }
}
