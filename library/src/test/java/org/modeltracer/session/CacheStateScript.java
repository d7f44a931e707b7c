package org.modeltracer.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.modeltracer.cache.CellMap;
import org.modeltracer.session.CacheBooks.State;
import org.modeltracer.session.CacheBooks.Token;
import org.modeltracer.trace.Json;
import org.modeltracer.trace.ModelTracer;
import tools.jackson.databind.JsonNode;

/**
 * Random work on a session, with books kept beside it: tokens with what each was computed in sight
 * of, cells by llama.cpp's rules, the keys that received attention.
 *
 * <p>After each step every number of the state that was recorded is compared with the books, and
 * the cells with what llama.cpp says.
 */
final class CacheStateScript {
  final TracedSession session;
  private final ModelTracer tracer;
  private final Random random;
  private final List<CellLedger> ledgers;
  private final List<Long> bytesPerCell;
  private final int sequences;
  private final boolean streams;
  private final CachePolicy policy;
  private final List<Token> tokens = new ArrayList<>();
  private final List<State> states = new ArrayList<>();
  private final SeenKeys seen = new SeenKeys();
  private Double hitRate;
  private boolean blurred;
  private long evictions;
  private int peakCells;
  private long peakBytes;
  private double hits;
  private int lookups;
  int checked;
  int reused;
  int moved;
  int evicting;
  int dropped;

  /**
   * A script.
   *
   * @param ledgers the cache of all layers, then the one of windows if there is one
   * @param bytesPerCell of each
   */
  CacheStateScript(
      TracedSession session,
      ModelTracer tracer,
      long seed,
      List<CellLedger> ledgers,
      List<Long> bytesPerCell,
      boolean streams,
      CachePolicy policy) {
    this.session = session;
    this.tracer = tracer;
    this.ledgers = ledgers;
    this.bytesPerCell = bytesPerCell;
    this.streams = streams;
    this.policy = policy;
    random = new Random(seed);
    sequences = session.context().options().sequences().count();
    tracer.addListener(seen);
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

  private int room(int sequence) {
    return ledgers.getFirst().free(sequence);
  }

  /** Tokens for some sequences, in one batch. */
  void add(int most) {
    var order = new ArrayList<Integer>();
    for (int s = 0; s < sequences; s++) {
      int limit = Math.min(most, streams ? room(s) : room(0) / sequences);
      if (limit > 0 && random.nextInt(3) > 0) {
        order.addAll(Collections.nCopies(1 + random.nextInt(limit), s));
      }
    }
    if (order.isEmpty()) {
      return;
    }
    if (random.nextBoolean()) {
      Collections.shuffle(order, random);
    }
    begin();
    int[] next = IntStream.range(0, sequences).map(this::next).toArray();
    List<Token> added =
        order.stream().map(s -> new Token(random.nextInt(5), next[s]++, s)).toList();
    session.pass(
        batch -> {
          for (int i = 0; i < added.size(); i++) {
            batch.add(added.get(i).id, added.get(i).position, order.get(i), true);
          }
        });
    compute(added);
    check();
  }

  private void begin() {
    seen.passes.clear();
    states.clear();
  }

  /** Books a batch. */
  private void compute(List<Token> added) {
    for (List<Token> part :
        CacheBooks.parts(added, streams, session.context().microBatchTokens())) {
      List<CellLedger.Token> cells =
          part.stream()
              .map(t -> new CellLedger.Token(t.position, t.owners.iterator().next()))
              .toList();
      ledgers.forEach(l -> l.write(cells));
    }
    for (Token token : added) {
      tokens.add(token);
      of(token.owners.iterator().next()).stream()
          .filter(t -> t.position <= token.position)
          .forEach(t -> token.sight.add(t.id));
    }
    CellLedger main = ledgers.getFirst();
    long bytes = 0;
    for (int i = 0; i < ledgers.size(); i++) {
      bytes += ledgers.get(i).used() * bytesPerCell.get(i);
    }
    states.add(
        new State(
            main.used(), bytes, main.evictions, hitRate, main.oldest(), main.fragmentation()));
    evictions += main.evictions;
    evicting += main.evictions > 0 ? 1 : 0;
    peakCells = Math.max(peakCells, main.used());
    peakBytes = Math.max(peakBytes, bytes);
    hits += hitRate == null ? 0 : hitRate;
    lookups += hitRate == null ? 0 : 1;
    hitRate = null;
    dropped += ledgers.getLast().evictions - main.evictions;
    ledgers.forEach(l -> l.evictions = 0);
  }

  /** Removes, keeps, copies, shifts or clears. */
  void disturb(boolean copies) {
    int s = random.nextInt(sequences);
    int size = next(s);
    int at = size == 0 ? 0 : random.nextInt(size);
    switch (random.nextInt(copies ? 9 : 6)) {
      case 0 -> remove(s, 0, CellMap.END);
      case 1 -> remove(s, at, CellMap.END);
      case 2 -> remove(s, at, Math.min(size, at + 1 + random.nextInt(6)));
      case 3 -> {
        session.cache().keep(s);
        for (int other = 0; other < sequences; other++) {
          if (other != s) {
            forget(other, 0, CellMap.END);
          }
        }
      }
      case 4 -> shift(s, at);
      case 5 -> {
        if (random.nextInt(4) == 0) {
          session.cache().clear();
          tokens.clear();
          ledgers.forEach(CellLedger::clear);
          blurred = false;
        }
      }
      default -> copy(s, (s + 1 + random.nextInt(sequences - 1)) % sequences, at);
    }
  }

  private void remove(int sequence, int from, int to) {
    assertThat(session.cache().remove(sequence, from, to)).isTrue();
    forget(sequence, from, to);
  }

  private void forget(int sequence, int from, int to) {
    of(sequence).stream()
        .filter(t -> t.position >= from && (to < 0 || t.position < to))
        .forEach(t -> t.owners.remove(sequence));
    tokens.removeIf(t -> t.owners.isEmpty());
    ledgers.forEach(l -> l.remove(sequence, from, to));
  }

  private void copy(int source, int target, int part) {
    if (target == 0 && policy.reuseChunk() > 0) {
      return;
    }
    if (!streams) {
      remove(target, 0, CellMap.END);
    }
    int to = streams || random.nextBoolean() ? CellMap.END : part;
    session.cache().copy(source, target, 0, to);
    ledgers.forEach(l -> l.copy(source, target, to));
    if (streams) {
      tokens.removeIf(t -> t.owners.contains(target));
    }
    for (Token t : of(source)) {
      if (to >= 0 && t.position >= to) {
        continue;
      }
      if (streams) {
        Token twin = new Token(t.id, t.position, target);
        twin.sight.addAll(t.sight);
        tokens.add(twin);
      } else {
        t.owners.add(target);
      }
    }
    blurred |= target == 0;
  }

  private void shift(int sequence, int at) {
    List<Token> own = of(sequence);
    boolean shared = own.stream().anyMatch(t -> t.owners.size() > 1);
    boolean blurs = sequence != 0 && policy.reuseChunk() > 0;
    if (!session.cache().canShift() || shared || blurs) {
      return;
    }
    int gap = 1 + random.nextInt(5);
    remove(sequence, at, at + gap);
    move(sequence, at + gap, CellMap.END, -gap);
    session.cache().shift(sequence, at + gap, CellMap.END, -gap);
    blurred |= sequence != 0;
  }

  private void move(int sequence, int from, int to, int delta) {
    of(sequence).stream()
        .filter(t -> t.position >= from && (to < 0 || t.position < to))
        .forEach(t -> t.position += delta);
    ledgers.forEach(l -> l.shift(sequence, from, to, delta));
    moved++;
  }

  /** A prompt for sequence 0 that has much in common with what is there; none, or some is new. */
  void prompt(int generated) {
    List<Integer> ids = new ArrayList<>(of(0).stream().map(t -> t.id).toList());
    int limit = session.context().sequenceTokens() - (policy.shift() ? 1 : 0);
    int cut = ids.isEmpty() ? 0 : random.nextInt(ids.size());
    if (random.nextInt(3) > 0) {
      ids = new ArrayList<>(ids.subList(0, cut));
    } else if (random.nextBoolean()) {
      ids.subList(cut, Math.min(ids.size(), cut + 3)).clear();
    }
    for (int n = 1 + random.nextInt(12); n > 0; n--) {
      ids.add(random.nextInt(ids.size() + 1), random.nextInt(5));
    }
    run(ids.stream().limit(Math.min(limit, room(0) + of(0).size())).toList(), generated);
  }

  /** Runs a prompt, and generates after it. */
  void run(List<Integer> ids, int generated) {
    int[] prompt = ids.stream().mapToInt(i -> i).toArray();
    if (of(0).stream().anyMatch(t -> t.owners.size() > 1)) {
      for (int s = 1; s < sequences; s++) {
        remove(s, 0, CellMap.END);
      }
    }
    begin();
    int most = reusable(prompt);
    var generation = session.generate(prompt, generated, t -> true);
    int kept = generation.reusedTokens();
    assertThat(kept).isLessThanOrEqualTo(most);
    if (!blurred) {
      assertThat(kept).isEqualTo(most);
    }
    reused += kept;
    if (kept == 0) {
      // What was moved for a chunk that did not last is gone as well.
      forget(0, 0, CellMap.END);
    }
    forget(0, kept, CellMap.END);
    blurred &= kept > 0;
    hitRate = (double) kept / prompt.length;
    int batch = session.context().batch().capacity();
    for (int from = kept; from < prompt.length; from += batch) {
      compute(
          IntStream.range(from, Math.min(prompt.length, from + batch))
              .mapToObj(p -> new Token(prompt[p], p, 0))
              .toList());
    }
    follow(generation, prompt);
    check();
  }

  /** Books what was generated, and the shifts that made room. */
  private void follow(Generation generation, int[] prompt) {
    int position = prompt.length;
    int kept = policy.keep() < 0 ? prompt.length : Math.min(policy.keep(), prompt.length);
    int keep = Math.min(kept, session.context().sequenceTokens() - 4);
    List<Generation.Token> all = generation.tokens();
    int shifts = 0;
    for (int i = 0; i < all.size(); i++) {
      boolean computed = i + 1 < all.size();
      if (computed && policy.shift() && position + 1 >= session.context().sequenceTokens()) {
        int discarded = (position - keep) / 2;
        forget(0, keep, keep + discarded);
        move(0, keep + discarded, CellMap.END, -discarded);
        position -= discarded;
        shifts++;
      }
      assertThat(all.get(i).position()).isEqualTo(position);
      if (computed) {
        compute(List.of(new Token(all.get(i).id(), position, 0)));
        position++;
      }
    }
    assertThat(generation.shifts()).isEqualTo(shifts);
  }

  /** Tokens of a prompt that the cache holds, as computed afresh or, if wanted, in chunks. */
  private int reusable(int[] prompt) {
    List<Integer> ids = Arrays.stream(prompt).boxed().toList();
    var held = new TreeMap<Integer, Token>();
    of(0).forEach(t -> held.put(t.position, t));
    int common = 0;
    while (common < prompt.length
        && held.containsKey(common)
        && held.get(common).sight.equals(ids.subList(0, common + 1))) {
      common++;
    }
    if (policy.reuseChunk() > 0 && session.cache().canShift() && CacheBooks.hold(ledgers, common)) {
      common = moveChunks(prompt, common, held);
    }
    common = Math.min(common, prompt.length - 1);
    return CacheBooks.hold(ledgers, common) ? common : 0;
  }

  /** llama-server's rule for chunks, on positions and ids. */
  private int moveChunks(int[] prompt, int common, TreeMap<Integer, Token> held) {
    int end = held.isEmpty() ? 0 : held.lastKey() + 1;
    int[] cached = new int[end];
    Arrays.fill(cached, -1);
    held.forEach((p, t) -> cached[p] = t.id);
    int c = common;
    int p = common;
    while (c < end && p < prompt.length) {
      int n = 0;
      while (c + n < end && p + n < prompt.length && cached[c + n] == prompt[p + n]) {
        n++;
      }
      if (n >= policy.reuseChunk()) {
        if (c != p) {
          forget(0, p, c);
          move(0, c, c + n, p - c);
        }
        c += n;
        p += n;
      } else {
        c++;
      }
    }
    return p;
  }

  /** Compares the states recorded since {@link #begin} with the books. */
  private void check() {
    JsonNode kv = Json.mapper().readTree(tracer.summaryToJson()).get("kv_cache");
    JsonNode last = kv.get("last_steps");
    assertThat(seen.passes).hasSameSizeAs(states);
    for (int i = Math.max(0, states.size() - last.size()); i < states.size(); i++) {
      CacheBooks.compare(
          states.get(i),
          last.get(last.size() - states.size() + i),
          ledgers.getFirst().capacity(),
          seen.accessed(i, this::of));
      checked++;
    }
    assertThat(kv.get("evictions").asLong()).isEqualTo(evictions);
    assertThat(kv.get("peak_cells").asInt()).isEqualTo(peakCells);
    assertThat(kv.get("peak_bytes").asLong()).isEqualTo(peakBytes);
    assertThat(kv.get("hit_rate").isNull()).isEqualTo(lookups == 0);
    if (lookups > 0) {
      assertThat(kv.get("hit_rate").asDouble()).isCloseTo(hits / lookups, within(1e-12));
    }
    CacheBooks.compareCells(session, ledgers, sequences);
  }
}
