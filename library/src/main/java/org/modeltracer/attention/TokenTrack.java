package org.modeltracer.attention;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The tokens of one sequence by position, growing as a model generates.
 *
 * <p>Each position knows the latest earlier position with the same token, so that content matching
 * costs a row only as many steps as the token has earlier copies. Text segments end after a token
 * that ends in {@code . ! ?} or holds a line break.
 */
public final class TokenTrack {
  private final Map<Integer, Integer> latest = new HashMap<>();
  private final List<String> texts = new ArrayList<>();
  private int[] ids = new int[64];
  private int[] earlier = new int[64];
  private int[] segmentStarts = new int[64];

  /** End of the segment that starts at a position. */
  private int[] segmentEnds = new int[64];

  private TokenKind[] kinds = new TokenKind[64];
  private final int[][] byKind = new int[TokenKind.values().length][64];
  private final int[] counts = new int[byKind.length];
  private int segmentStart;
  private int size;

  /** Adds the token of the next position. */
  public void append(int id, String text, TokenKind kind) {
    if (size == ids.length) {
      int room = 2 * size;
      ids = Arrays.copyOf(ids, room);
      earlier = Arrays.copyOf(earlier, room);
      segmentStarts = Arrays.copyOf(segmentStarts, room);
      segmentEnds = Arrays.copyOf(segmentEnds, room);
      kinds = Arrays.copyOf(kinds, room);
    }
    Integer before = latest.put(id, size);
    ids[size] = id;
    earlier[size] = before == null ? -1 : before;
    segmentStarts[size] = segmentStart;
    segmentEnds[segmentStart] = size + 1;
    kinds[size] = kind;
    int k = kind.ordinal();
    if (counts[k] == byKind[k].length) {
      byKind[k] = Arrays.copyOf(byKind[k], 2 * counts[k]);
    }
    byKind[k][counts[k]++] = size;
    texts.add(text);
    size++;
    String trimmed = text.stripTrailing();
    if (text.indexOf('\n') >= 0
        || (!trimmed.isEmpty() && ".!?".indexOf(trimmed.charAt(trimmed.length() - 1)) >= 0)) {
      segmentStart = size;
    }
  }

  /** Number of positions whose token is known. */
  public int size() {
    return size;
  }

  /** Token id at a position, or -1 when it is not known. */
  public int id(int position) {
    return position < size ? ids[position] : -1;
  }

  /** Text of the token at a position, empty when it is not known. */
  public String text(int position) {
    return position < size ? texts.get(position) : "";
  }

  /** Latest position before this one that holds the same token, or -1. */
  public int earlier(int position) {
    return position < size ? earlier[position] : -1;
  }

  /** First position of a position's text segment, or -1 when its token is not known. */
  int segmentStart(int position) {
    return position < size ? segmentStarts[position] : -1;
  }

  /** Kind of the token at a position; content when it is not known. */
  TokenKind kind(int position) {
    return position < size ? kinds[position] : TokenKind.CONTENT;
  }

  /** Positions of a kind's tokens, ascending: the first {@link #count}; to be read only. */
  int[] positions(TokenKind kind) {
    return byKind[kind.ordinal()];
  }

  /** Number of tokens of a kind. */
  int count(TokenKind kind) {
    return counts[kind.ordinal()];
  }

  /** Position after the last that is known of a position's text segment. */
  int segmentEnd(int position) {
    return segmentEnds[segmentStarts[position]];
  }

  /** Texts by position. */
  List<String> texts() {
    return List.copyOf(texts);
  }
}
