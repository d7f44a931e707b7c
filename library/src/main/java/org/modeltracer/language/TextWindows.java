package org.modeltracer.language;

import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.modeltracer.llama.Vocabulary;

/**
 * A text in the pieces in which llama-perplexity reads one: each of as many tokens as fit a window,
 * with nothing before it but, where the vocabulary adds one, BOS in place of its first token. What
 * is left over is not read; a text shorter than a window is one.
 *
 * @param windows token ids per window
 */
public record TextWindows(List<int[]> windows) {
  /** Copies the list. */
  public TextWindows {
    windows = List.copyOf(windows);
  }

  /** A text cut into windows of some tokens. */
  public static TextWindows of(int[] tokens, int window, Vocabulary vocabulary) {
    if (tokens.length <= window) {
      return new TextWindows(List.of(tokens));
    }
    List<int[]> windows =
        IntStream.rangeClosed(1, tokens.length / window)
            .mapToObj(n -> Arrays.copyOfRange(tokens, (n - 1) * window, n * window))
            .toList();
    windows.forEach(own -> begin(own, vocabulary));
    return new TextWindows(windows);
  }

  /** Puts BOS before a window's tokens, where the vocabulary wants one. */
  static void begin(int[] window, Vocabulary vocabulary) {
    if (vocabulary.addsBos() && vocabulary.bos() >= 0) {
      window[0] = vocabulary.bos();
    }
  }

  /** Tokens of all windows. */
  public long tokens() {
    return windows.stream().mapToLong(own -> own.length).sum();
  }

  /**
   * Whether what is predicted after a position counts: those of a window's second half with a token
   * after them, so that each has some text before it.
   */
  public static boolean counts(int position, int window) {
    return position >= firstCounted(window) && position + 1 < window;
  }

  /** The first position that counts, of a window of so many tokens. */
  static int firstCounted(int window) {
    return window / 2;
  }
}
