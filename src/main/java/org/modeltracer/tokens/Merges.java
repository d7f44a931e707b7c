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

  /** Rank of the merge that makes a text whole, or −1 if none does. */
  private int lastMerge(String text) {
    int count = text.length();
    var parts = new int[count];
    var next = new int[count];
    Arrays.setAll(parts, i -> symbols.getOrDefault(text.substring(i, i + 1), -1));
    Arrays.setAll(next, i -> i + 1 < next.length ? rank(parts[i], parts[i + 1]) : NO_RANK);
    int last = -1;
    while (count > 1) {
      int at = 0;
      for (int i = 1; i < count; i++) {
        at = next[i] < next[at] ? i : at;
      }
      last = next[at];
      if (last == NO_RANK) {
        return -1;
      }
      parts[at] = resultSymbols[last];
      count--;
      System.arraycopy(parts, at + 2, parts, at + 1, count - at - 1);
      System.arraycopy(next, at + 1, next, at, count - at);
      next[at] = at + 1 < count ? rank(parts[at], parts[at + 1]) : NO_RANK;
      if (at > 0) {
        next[at - 1] = rank(parts[at - 1], parts[at]);
      }
    }
    return last;
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
}
