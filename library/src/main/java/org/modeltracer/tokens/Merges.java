package org.modeltracer.tokens;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The merges of a BPE vocabulary: pairs of neighbours that become one, the earliest listed first.
 *
 * <p>jtokkit merges any two neighbours that together spell a token. That is the same as merging
 * listed pairs, on every text, once dead merges are left out: those that no text can ever reach,
 * because the bytes of their result are merged in another way before. (Neighbours evolve as if they
 * were alone until they meet, so a merge applies somewhere only if it is the last step of merging
 * its own result.)
 */
final class Merges {
  /** No tokenizer has longer tokens; what claims to is not worth quadratic time. */
  private static final int LONGEST = 1024;

  private static final int NO_RANK = Integer.MAX_VALUE;

  private final Map<String, Integer> symbols = new HashMap<>();
  private final Map<Long, Integer> ranks = new HashMap<>();
  private final List<String> results = new ArrayList<>();
  private final int[] resultSymbols;
  private final boolean[] live;

  /**
   * @param lines pairs, a space between the two
   * @throws UnsupportedTokenizer if a result is longer than any tokenizer's tokens
   */
  Merges(List<String> lines) {
    resultSymbols = new int[lines.size()];
    live = new boolean[lines.size()];
    for (int rank = 0; rank < lines.size(); rank++) {
      String line = lines.get(rank);
      int space = line.indexOf(' ', 1);
      String result = space < 0 ? "" : line.substring(0, space) + line.substring(space + 1);
      if (result.length() > LONGEST) {
        throw new UnsupportedTokenizer(
            "merge " + rank + " makes a token of " + result.length() + " bytes");
      }
      results.add(result);
      if (space >= 0) {
        resultSymbols[rank] = symbol(result);
        long pair = pair(symbol(line.substring(0, space)), symbol(line.substring(space + 1)));
        ranks.putIfAbsent(pair, rank);
      }
    }
    for (int rank = 0; rank < live.length; rank++) {
      live[rank] = lastMerge(results.get(rank)) == rank;
    }
  }

  /** Number of merges listed. */
  int size() {
    return live.length;
  }

  /** What a merge makes. */
  String result(int rank) {
    return results.get(rank);
  }

  /** Whether some text makes a merge apply. */
  boolean live(int rank) {
    return live[rank];
  }

  /** Merges the letters of a word by definition: the best rank first, the leftmost first. */
  List<String> merge(String word) {
    var state = new State(word);
    while (state.step() >= 0) {}
    return state.parts();
  }

  /** Rank of the merge that makes a text whole, or −1 if none does. */
  private int lastMerge(String text) {
    var state = new State(text);
    int last = -1;
    for (int rank; (rank = state.step()) >= 0; ) {
      last = rank;
    }
    return state.count == 1 ? last : -1;
  }

  private int rank(int left, int right) {
    return ranks.getOrDefault(pair(left, right), NO_RANK);
  }

  private int symbol(String text) {
    return symbols.computeIfAbsent(text, unused -> symbols.size());
  }

  private static long pair(int left, int right) {
    return (long) left << 32 | Integer.toUnsignedLong(right);
  }

  /** A word on its way from letters to tokens. */
  private final class State {
    private final String word;
    private final int[] ends;
    private final int[] parts;
    private final int[] next;
    private int count;

    State(String word) {
      this.word = word;
      count = word.length();
      ends = new int[count];
      parts = new int[count];
      next = new int[count];
      Arrays.setAll(ends, i -> i + 1);
      Arrays.setAll(parts, i -> symbols.getOrDefault(word.substring(i, i + 1), -1));
      Arrays.setAll(next, i -> i + 1 < parts.length ? rank(parts[i], parts[i + 1]) : NO_RANK);
    }

    /** Merges one pair and returns its rank, or −1 when there is none. */
    int step() {
      int at = 0;
      for (int i = 1; i < count; i++) {
        at = next[i] < next[at] ? i : at;
      }
      if (count < 2 || next[at] == NO_RANK) {
        return -1;
      }
      int merged = next[at];
      parts[at] = resultSymbols[merged];
      count--;
      System.arraycopy(ends, at + 1, ends, at, count - at);
      System.arraycopy(parts, at + 2, parts, at + 1, count - at - 1);
      System.arraycopy(next, at + 1, next, at, count - at);
      next[at] = at + 1 < count ? rank(parts[at], parts[at + 1]) : NO_RANK;
      if (at > 0) {
        next[at - 1] = rank(parts[at - 1], parts[at]);
      }
      return merged;
    }

    List<String> parts() {
      var texts = new ArrayList<String>(count);
      for (int i = 0; i < count; i++) {
        texts.add(word.substring(i == 0 ? 0 : ends[i - 1], ends[i]));
      }
      return texts;
    }
  }
}
