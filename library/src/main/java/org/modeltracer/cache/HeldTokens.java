package org.modeltracer.cache;

import java.util.Arrays;

/**
 * The tokens that a cache holds of sequence 0, by position.
 *
 * <p>Some of them, from position 0 on, were computed in sight of exactly the tokens before them;
 * what comes after a removal or a move was computed in other company.
 */
public final class HeldTokens {
  private static final int NONE = -1;

  private int[] tokens = new int[64];
  private int end;
  private int whole;

  public HeldTokens() {
    Arrays.fill(tokens, NONE);
  }

  /** A token was computed at a position, which becomes the last. */
  public void wrote(int position, int token) {
    remove(position, NONE);
    reserve(position + 1);
    tokens[position] = token;
    end = Math.max(end, position + 1);
    if (position == whole) {
      whole++;
    }
  }

  private void reserve(int size) {
    if (size > tokens.length) {
      int known = tokens.length;
      tokens = Arrays.copyOf(tokens, Math.max(size, 2 * known));
      Arrays.fill(tokens, known, tokens.length, NONE);
    }
  }

  /** Positions {@code from <= p < to} are no longer held; a negative {@code to} means the end. */
  public void remove(int from, int to) {
    int last = to < 0 ? end : Math.min(to, end);
    int first = Math.max(0, from);
    if (first < last) {
      Arrays.fill(tokens, first, last, NONE);
      whole = Math.min(whole, first);
    }
    trim();
  }

  /** Positions {@code from <= p < to} moved by {@code delta}; what moves below zero is gone. */
  public void shift(int from, int to, int delta) {
    int first = Math.max(0, from);
    int last = to < 0 ? end : Math.min(to, end);
    if (first >= last || delta == 0) {
      return;
    }
    int[] moved = Arrays.copyOfRange(tokens, first, last);
    Arrays.fill(tokens, first, last, NONE);
    reserve(last + delta);
    for (int i = 0; i < moved.length; i++) {
      int position = first + i + delta;
      if (position >= 0 && moved[i] != NONE) {
        tokens[position] = moved[i];
        end = Math.max(end, position + 1);
      }
    }
    whole = Math.min(whole, Math.max(0, Math.min(first, first + delta)));
    trim();
  }

  private void trim() {
    while (end > 0 && tokens[end - 1] == NONE) {
      end--;
    }
  }

  /** Nothing is known of any position. */
  public void clear() {
    remove(0, NONE);
  }

  /** The tokens from position 0 on that were computed in sight of each other. */
  public int[] whole() {
    return Arrays.copyOf(tokens, whole);
  }

  /** How many of the first tokens of a prompt are held, as they would be computed afresh. */
  public int common(int[] prompt) {
    int most = Math.min(whole, prompt.length);
    int different = Arrays.mismatch(tokens, 0, most, prompt, 0, most);
    return different < 0 ? most : different;
  }

  /** One past the highest position held. */
  public int end() {
    return end;
  }

  /** How many tokens of a prompt from {@code at} on are held from {@code position} on. */
  public int match(int position, int[] prompt, int at) {
    int n = 0;
    while (position + n < end && at + n < prompt.length && tokens[position + n] == prompt[at + n]) {
      n++;
    }
    return n;
  }
}
