package org.modeltracer.attach;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;
import org.modeltracer.cache.CellMap;
import org.modeltracer.llama.Batch;
import org.modeltracer.session.Listeners;
import org.modeltracer.trace.ModelTracer;

/**
 * What the sequences of a context read and say, told from the batches that it decodes.
 *
 * <p>A token that goes on where scores were computed is the one that was chosen by them; tokens
 * that go on where none were are more of a prompt; any others begin a text.
 */
final class RemoteTexts {
  /** Tokens that are remembered, at most, of all sequences together. */
  private static final int MOST_KEPT = 1 << 20;

  private static final int NOWHERE = Integer.MAX_VALUE;

  /** The scores after a sequence's last token, of which it is not known yet what they chose. */
  private record Pending(int position, MemorySegment logits, int vocabulary) {}

  /** A sequence: its tokens by position, as far as they are remembered. */
  private static final class Sequence {
    private int[] tokens = {};
    private int size;
    private int next;
    private int reused;
    private int step;
    private boolean begun;
    private boolean rewound;

    /** From here on all tokens had their scores computed. */
    private int scoredFrom = NOWHERE;

    private @Nullable Pending pending;

    /** Whether the last token's scores were computed, so that what follows was chosen by them. */
    private boolean scored() {
      return size > 0 && size - 1 >= scoredFrom;
    }
  }

  private final ModelTracer tracer;
  private final Listeners listeners;
  private final IntFunction<byte[]> pieces;
  private final Map<Integer, Sequence> sequences = new TreeMap<>();
  private final List<TextFollower> followers = new ArrayList<>();
  private int kept;

  /**
   * Nothing was read yet.
   *
   * @param pieces gives the bytes of a token, none where they are not known
   */
  RemoteTexts(ModelTracer tracer, Listeners listeners, IntFunction<byte[]> pieces) {
    this.tracer = tracer;
    this.listeners = listeners;
    this.pieces = pieces;
  }

  private Sequence of(int sequence) {
    return sequences.computeIfAbsent(sequence, s -> new Sequence());
  }

  /** Has somebody follow from now on; texts that have begun are told anew. */
  void follow(TextFollower follower) {
    followers.add(follower);
    sequences.forEach(
        (number, s) -> {
          if (s.begun) {
            follower.onText(number, s.reused, Arrays.copyOf(s.tokens, s.size));
          }
        });
  }

  /** Position of a token of a batch, which the program may have left to llama.cpp. */
  int place(int sequence, int told) {
    Sequence s = of(sequence);
    int position = told < 0 ? s.next : told;
    s.next = position + 1;
    return position;
  }

  /** Tokens of a sequence by position; negative where they are not known. */
  int[] tokens(int sequence) {
    Sequence s = of(sequence);
    return Arrays.copyOf(s.tokens, s.size);
  }

  /** A batch is about to be decoded. */
  void decoded(Batch told) {
    Map<Integer, List<Integer>> rows = new LinkedHashMap<>();
    for (int i = 0; i < told.size(); i++) {
      rows.computeIfAbsent(told.sequence(i), s -> new ArrayList<>()).add(i);
    }
    rows.forEach(
        (sequence, all) -> {
          for (int begin = 0, end; begin < all.size(); begin = end) {
            end = begin + 1;
            while (end < all.size() && goesOn(told, all.get(end - 1), all.get(end))) {
              end++;
            }
            run(sequence, told, all.subList(begin, end));
          }
        });
  }

  private static boolean goesOn(Batch told, int before, int row) {
    return told.position(row) == told.position(before) + 1;
  }

  /** Tokens of one sequence at positions that follow each other. */
  private void run(int number, Batch told, List<Integer> rows) {
    Sequence s = of(number);
    int first = rows.getFirst();
    int from = told.position(first);
    int[] tokens = rows.stream().mapToInt(told::token).toArray();
    boolean goesOn = s.begun && from == s.size && from > 0;
    boolean single = rows.size() == 1 || told.output(first);
    boolean chosen = goesOn && s.scored() && single && chosen(s, number, from, tokens[0]);
    settle(number, s, -1);
    boolean more = goesOn && !s.scored() && !s.rewound;
    int scoredFrom = goesOn ? s.scoredFrom : NOWHERE;
    for (int i = 0; i < tokens.length; i++) {
      scoredFrom = told.output(rows.get(i)) ? Math.min(scoredFrom, from + i) : NOWHERE;
    }
    s.scoredFrom = scoredFrom;
    s.rewound = false;
    if (!remember(s, from, tokens)) {
      return;
    }
    if (chosen) {
      followers.forEach(f -> f.onChosen(number, from, tokens[0]));
      int[] drafted = Arrays.copyOfRange(tokens, 1, tokens.length);
      if (drafted.length > 0) {
        followers.forEach(f -> f.onMore(number, from + 1, drafted));
      }
    } else if (more) {
      followers.forEach(f -> f.onMore(number, from, tokens));
    } else {
      s.begun = true;
      s.reused = from;
      s.step = 0;
      followers.forEach(f -> f.onText(number, from, Arrays.copyOf(s.tokens, s.size)));
    }
  }

  private boolean chosen(Sequence s, int number, int position, int token) {
    Pending scores = s.pending;
    if (token < 0 || scores != null && token >= scores.vocabulary) {
      return false;
    }
    // Where drafts were taken back, the scores kept are those of a token that is no more.
    boolean theirs = scores != null && scores.position + 1 == position;
    settle(number, s, theirs ? token : -1);
    tracer.recordToken(s.step, token, pieces.apply(token));
    s.step++;
    return true;
  }

  /** Puts tokens behind those that are known; false where there are too many to remember. */
  private boolean remember(Sequence s, int from, int[] tokens) {
    int size = from + tokens.length;
    kept += size - s.size;
    if (kept > MOST_KEPT) {
      forget(s);
      return false;
    }
    if (s.tokens.length < size) {
      s.tokens = Arrays.copyOf(s.tokens, size + size / 2);
    }
    for (int p = s.size; p < from; p++) {
      s.tokens[p] = -1 - p;
    }
    System.arraycopy(tokens, 0, s.tokens, from, tokens.length);
    s.size = size;
    return true;
  }

  private void forget(Sequence s) {
    truncate(s, 0);
    s.tokens = new int[0];
    s.begun = false;
  }

  private void truncate(Sequence s, int size) {
    int now = Math.min(s.size, size);
    kept -= s.size - now;
    s.rewound |= now < s.size;
    s.size = now;
  }

  /** Scores were computed of a token of a sequence. */
  void scored(int number, int position, float[] scores) {
    Sequence s = of(number);
    settle(number, s, -1);
    s.pending = new Pending(position, MemorySegment.ofArray(scores), scores.length);
  }

  private void settle(int number, Sequence s, int chosen) {
    Pending scores = s.pending;
    s.pending = null;
    if (scores != null) {
      tracer.recordLogits(scores.position, scores.logits, 0, scores.vocabulary, chosen);
      listeners.logits(number, scores.position, scores.logits, chosen);
    }
  }

  /** The program is about to do something to its cache. */
  void changing(CacheOperation operation) {
    switch (operation.kind()) {
      case CLEAR, KEEP -> operation.sequences().forEach(this::clear);
      case REMOVE -> {
        if (operation.to() == CellMap.END) {
          operation.sequences().forEach(number -> end(number, operation.from()));
        }
      }
      case COPY -> copy(operation);
      case SHIFT ->
          operation
              .sequences()
              .filter(sequences::containsKey)
              .forEach(number -> shift(number, operation));
    }
  }

  private void clear(int number) {
    end(number, 0);
  }

  private void end(int number, int size) {
    Sequence s = sequences.get(number);
    if (s != null) {
      truncate(s, size);
      s.next = Math.min(s.next, size);
    }
  }

  private void copy(CacheOperation operation) {
    Sequence source = sequences.get(Math.max(0, operation.sequence()));
    if (source != null && operation.from() == 0) {
      int size = operation.to() < 0 ? source.size : Math.min(source.size, operation.to());
      Sequence target = of(operation.other());
      truncate(target, 0);
      if (remember(target, 0, Arrays.copyOf(source.tokens, size))) {
        target.next = operation.to() < 0 ? source.next : Math.min(source.next, operation.to());
        target.scoredFrom = NOWHERE;
        target.begun = false;
      }
    }
  }

  private void shift(int number, CacheOperation operation) {
    listeners.shift(number, operation.from(), operation.to(), operation.delta());
    Sequence s = of(number);
    if (operation.to() != CellMap.END && operation.to() < s.size) {
      return;
    }
    int from = Math.min(s.size, operation.from());
    int to = Math.max(0, from + operation.delta());
    boolean rewound = s.rewound;
    int[] moved = Arrays.copyOfRange(s.tokens, from, s.size);
    truncate(s, Math.min(from, to));
    if (remember(s, to, moved)) {
      s.rewound = rewound;
      s.scoredFrom += s.scoredFrom == NOWHERE ? 0 : operation.delta();
    }
    s.next += operation.delta();
    Pending scores = s.pending;
    if (scores != null) {
      s.pending =
          new Pending(scores.position + operation.delta(), scores.logits, scores.vocabulary);
    }
  }

  /** Nothing more comes: scores that chose nothing that was seen are told. */
  void end() {
    sequences.forEach((number, s) -> settle(number, s, -1));
  }
}
