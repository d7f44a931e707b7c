package org.modeltracer.session;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * One KV cache's cells kept in plain maps, by llama.cpp's rules of where a token goes.
 *
 * <p>It is told what was asked for, never what llama.cpp did.
 */
final class CellLedger {
  /** A token that was submitted. */
  record Token(int position, int sequence) {}

  private static final class Cell {
    int position;
    final TreeSet<Integer> owners = new TreeSet<>();
  }

  private final List<TreeMap<Integer, Cell>> streams = new ArrayList<>();
  private final int[] heads;
  private final int size;
  private final int window;
  private final boolean adjacent;
  int evictions;

  /**
   * An empty cache.
   *
   * @param window tokens that its layers see, 0 for all
   * @param adjacent whether the tokens of a micro-batch go side by side, as they did once
   */
  CellLedger(int streams, int size, int window, boolean adjacent) {
    for (int s = 0; s < streams; s++) {
      this.streams.add(new TreeMap<>());
    }
    heads = new int[streams];
    this.size = size;
    this.window = window;
    this.adjacent = adjacent;
  }

  private int stream(int sequence) {
    return streams.size() > 1 ? sequence : 0;
  }

  /** A micro-batch; the tokens of a stream come in their order. */
  void write(List<Token> tokens) {
    var byStream = new TreeMap<Integer, List<Token>>();
    tokens.forEach(
        t -> byStream.computeIfAbsent(stream(t.sequence()), s -> new ArrayList<>()).add(t));
    Map<Integer, List<Integer>> places = new HashMap<>();
    byStream.forEach((s, own) -> places.put(s, find(s, own.size())));
    Map<Integer, Integer> lost = new TreeMap<>();
    byStream.forEach(
        (s, own) -> {
          for (int i = 0; i < own.size(); i++) {
            Cell before = streams.get(s).get(places.get(s).get(i));
            if (before != null) {
              evictions++;
              lost.merge(before.owners.first(), before.position, Math::max);
            }
            var cell = new Cell();
            cell.position = own.get(i).position();
            cell.owners.add(own.get(i).sequence());
            streams.get(s).put(places.get(s).get(i), cell);
          }
        });
    lost.forEach((sequence, position) -> remove(sequence, 0, position + 1));
    places.forEach((s, cells) -> heads[s] = cells.getLast() + 1);
  }

  /** Free cells from the head on, or such that hold what no window shows any more. */
  private List<Integer> find(int s, int tokens) {
    int at = heads[s] > streams.get(s).size() + 2 * tokens ? 0 : heads[s];
    var found = new ArrayList<Integer>();
    for (int tested = 0; found.size() < tokens; tested++) {
      if (tested > 2 * size) {
        throw new IllegalStateException("no room");
      }
      if (at + (adjacent ? tokens - found.size() : 1) > size) {
        at = 0;
        if (adjacent) {
          found.clear();
        }
      }
      if (usable(s, at)) {
        found.add(at);
      } else if (adjacent) {
        found.clear();
      }
      at++;
    }
    return found;
  }

  private boolean usable(int s, int index) {
    Cell cell = streams.get(s).get(index);
    if (cell == null) {
      return true;
    }
    return window > 0
        && cell.owners.size() == 1
        && last(cell.owners.first()) + 1 - cell.position >= window;
  }

  private int last(int sequence) {
    return streams.get(stream(sequence)).values().stream()
        .filter(c -> c.owners.contains(sequence))
        .mapToInt(c -> c.position)
        .max()
        .orElse(-1);
  }

  private static boolean within(Cell cell, int sequence, int from, int to) {
    return cell.owners.contains(sequence)
        && cell.position >= from
        && (to < 0 || cell.position < to);
  }

  void remove(int sequence, int from, int to) {
    int s = stream(sequence);
    var emptied = new ArrayList<Integer>();
    streams
        .get(s)
        .forEach(
            (index, cell) -> {
              if (within(cell, sequence, from, to)) {
                cell.owners.remove(sequence);
                if (cell.owners.isEmpty()) {
                  emptied.add(index);
                }
              }
            });
    streams.get(s).keySet().removeAll(emptied);
    evictions += emptied.size();
    if (!emptied.isEmpty()) {
      heads[s] = Math.min(heads[s], emptied.getFirst());
    }
  }

  void copy(int source, int target, int to) {
    if (streams.size() == 1) {
      streams.getFirst().values().stream()
          .filter(c -> within(c, source, 0, to))
          .forEach(c -> c.owners.add(target));
      if (adjacent) {
        heads[0] = 0;
      }
      return;
    }
    TreeMap<Integer, Cell> over = streams.get(target);
    evictions += over.size();
    over.clear();
    streams
        .get(source)
        .forEach(
            (index, cell) -> {
              var twin = new Cell();
              twin.position = cell.position;
              twin.owners.add(target);
              over.put(index, twin);
            });
    heads[target] = heads[source];
  }

  void shift(int sequence, int from, int to, int delta) {
    if (delta == 0) {
      return;
    }
    int s = stream(sequence);
    var gone = new ArrayList<Integer>();
    streams
        .get(s)
        .forEach(
            (index, cell) -> {
              if (within(cell, sequence, from, to)) {
                cell.position += delta;
                if (cell.position < 0) {
                  gone.add(index);
                }
              }
            });
    streams.get(s).keySet().removeAll(gone);
    evictions += gone.size();
    heads[s] = gone.isEmpty() ? 0 : gone.getFirst();
  }

  void clear() {
    streams.forEach(
        s -> {
          evictions += s.size();
          s.clear();
        });
    Arrays.fill(heads, 0);
  }

  int used() {
    return streams.stream().mapToInt(Map::size).sum();
  }

  int capacity() {
    return streams.size() * size;
  }

  /** Free cells where a sequence's tokens may go. */
  int free(int sequence) {
    return size - streams.get(stream(sequence)).size();
  }

  int oldest() {
    return streams.stream()
        .flatMap(s -> s.values().stream())
        .mapToInt(c -> c.position)
        .min()
        .orElse(-1);
  }

  /** 1 − the longest run of each stream over all cells in use. */
  double fragmentation() {
    int runs = 0;
    for (TreeMap<Integer, Cell> stream : streams) {
      int best = 0;
      for (int index : stream.keySet()) {
        int end = index;
        while (stream.containsKey(end)) {
          end++;
        }
        best = Math.max(best, end - index);
      }
      runs += best;
    }
    return used() == 0 ? 0 : 1 - (double) runs / used();
  }

  /** The same, less what has left the window. */
  List<Integer> visible(int sequence) {
    int last = last(sequence);
    return positions(sequence).stream().filter(p -> window == 0 || last - p < window).toList();
  }

  /** Positions of a sequence in the order of their cells. */
  List<Integer> positions(int sequence) {
    return streams.get(stream(sequence)).values().stream()
        .filter(c -> c.owners.contains(sequence))
        .map(c -> c.position)
        .toList();
  }
}
