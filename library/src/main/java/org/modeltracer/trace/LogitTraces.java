package org.modeltracer.trace;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/** Scores of the tokens of interest at the last positions, in a ring of fixed size. */
final class LogitTraces {
  /** Positions kept of a run of any length. */
  static final int POSITIONS = 256;

  /** Traces of a lens kept. */
  static final int EVOLUTIONS = 1024;

  private final int[] tracked;
  private final Slot[] ring = new Slot[POSITIONS];
  private final Deque<LogitEvolutionTrace> evolutions = new ArrayDeque<>();
  private long positions;
  private long traces;
  private long evolved;
  private double entropySum;
  private double entropyMin = Double.POSITIVE_INFINITY;
  private double entropyMax = Double.NEGATIVE_INFINITY;

  private static final class Slot {
    final int[] token;
    final double[] logit;
    final double[] probability;
    final int[] rank;
    int size;
    int position;
    int chosen;
    double entropy;

    Slot(int tokens) {
      token = new int[tokens];
      logit = new double[tokens];
      probability = new double[tokens];
      rank = new int[tokens];
    }

    void add(LogitScan scan, int id, int itsRank) {
      token[size] = id;
      logit[size] = scan.logit(id);
      probability[size] = scan.probability(id);
      rank[size++] = itsRank;
    }

    boolean has(int id) {
      for (int i = 0; i < size; i++) {
        if (token[i] == id) {
          return true;
        }
      }
      return false;
    }
  }

  LogitTraces(TracerConfig config) {
    tracked = config.trackedTokens().stream().mapToInt(Integer::intValue).toArray();
    int tokens = 1 + (tracked.length > 0 ? tracked.length : config.logitTopK());
    for (int i = 0; i < POSITIONS && config.logits(); i++) {
      ring[i] = new Slot(tokens);
    }
  }

  /** Keeps the tokens of interest of a position whose scores are sound. */
  void record(int position, int vocabulary, int chosen, LogitScan scan, TopK top) {
    Slot slot = ring[(int) (positions++ % POSITIONS)];
    slot.size = 0;
    slot.position = position;
    slot.chosen = chosen;
    slot.entropy = scan.entropy;
    entropySum += scan.entropy;
    entropyMin = Math.min(entropyMin, scan.entropy);
    entropyMax = Math.max(entropyMax, scan.entropy);
    if (tracked.length > 0) {
      for (int token : tracked) {
        if (token >= 0 && token < vocabulary) {
          slot.add(scan, token, scan.rank(token));
        }
      }
    } else {
      for (int i = 0; i < top.size(); i++) {
        slot.add(scan, top.index(i), i);
      }
    }
    if (chosen >= 0 && chosen < vocabulary && !slot.has(chosen)) {
      slot.add(scan, chosen, scan.rank(chosen));
    }
    traces += slot.size;
  }

  /** Keeps what a lens found. */
  void record(LogitEvolutionTrace evolution) {
    if (evolutions.size() == EVOLUTIONS) {
      evolutions.removeFirst();
    }
    evolutions.addLast(evolution);
    evolved++;
  }

  /** Number of token scores traced. */
  long traces() {
    return traces + evolved;
  }

  LogitSummary summary() {
    List<LogitSummary.Position> last = new ArrayList<>();
    for (long i = Math.max(0, positions - POSITIONS); i < positions; i++) {
      last.add(trace(ring[(int) (i % POSITIONS)]));
    }
    LogitSummary.Entropy entropy =
        positions == 0
            ? null
            : new LogitSummary.Entropy(entropySum / positions, entropyMin, entropyMax);
    return new LogitSummary(positions, entropy, last, evolved, List.copyOf(evolutions));
  }

  private static LogitSummary.Position trace(Slot slot) {
    List<LogitEvolutionTrace> tokens = new ArrayList<>(slot.size);
    for (int i = 0; i < slot.size; i++) {
      tokens.add(
          new LogitEvolutionTrace(
              slot.position,
              slot.token[i],
              null,
              null,
              null,
              slot.logit[i],
              slot.probability[i],
              slot.rank[i],
              null));
    }
    return new LogitSummary.Position(
        slot.position, slot.chosen < 0 ? null : slot.chosen, slot.entropy, tokens);
  }
}
