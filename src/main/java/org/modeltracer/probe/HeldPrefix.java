package org.modeltracer.probe;

import java.util.Arrays;

/** The tokens that a cache holds of sequence 0, from position 0 on and without a gap. */
final class HeldPrefix {
  private int[] tokens = new int[64];
  private int size;

  /** A token was computed at a position. */
  void wrote(int position, int token) {
    if (position > size) {
      return;
    }
    if (position == tokens.length) {
      tokens = Arrays.copyOf(tokens, 2 * position);
    }
    tokens[position] = token;
    size = position + 1;
  }

  /** What is at a position or beyond is no longer what was computed there. */
  void forgetFrom(int position) {
    size = Math.min(size, Math.max(0, position));
  }

  /** The tokens held, from position 0. */
  int[] tokens() {
    return Arrays.copyOf(tokens, size);
  }

  /** How many of the first tokens of a prompt are held. */
  int common(int[] prompt) {
    int most = Math.min(size, prompt.length);
    int different = Arrays.mismatch(tokens, 0, most, prompt, 0, most);
    return different < 0 ? most : different;
  }
}
