package org.modeltracer.cli.terminal;

import java.util.List;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.modeltracer.attention.PooledAttention;
import org.modeltracer.model.HeadId;

/**
 * Attention matrices of all heads as small drawings of half blocks, a layer a row: queries go
 * downwards, keys to the right, bright is a large weight.
 */
public final class HeadPictures {
  /** Pixels along a side of a drawing, two to a line. */
  private static final int SIDE = 12;

  private static final int MOST_LAYERS = 6;

  /** Shades of grey among the 256 colours of a terminal, from dark to light. */
  private static final int DARK = 232;

  private static final int SHADES = 24;

  private final Terminal terminal;

  /** Draws on a terminal. */
  public HeadPictures(Terminal terminal) {
    this.terminal = terminal;
  }

  /** Draws what a terminal in colour has room for, and nothing else. */
  public void print(PooledAttention attention) {
    var layers = new TreeMap<Integer, List<HeadId>>();
    attention
        .heads()
        .forEach(
            head ->
                layers.merge(
                    head.layer(),
                    List.of(head),
                    (some, more) -> Stream.concat(some.stream(), more.stream()).toList()));
    int widest = layers.values().stream().mapToInt(List::size).max().orElse(0);
    boolean fits = widest * (SIDE + 1) + 7 <= terminal.width() && layers.size() <= MOST_LAYERS;
    if (!terminal.coloured() || widest == 0 || !fits || attention.side() < SIDE) {
      return;
    }
    layers.forEach((layer, heads) -> layer(layer, heads, attention));
    terminal.println("layer  a drawing per head: queries downwards, keys to the right");
  }

  private void layer(int layer, List<HeadId> heads, PooledAttention attention) {
    for (int y = 0; y < SIDE; y += 2) {
      var line = new StringBuilder(y == 0 ? "%5d  ".formatted(layer) : " ".repeat(7));
      for (HeadId head : heads) {
        for (int x = 0; x < SIDE; x++) {
          line.append(pixels(shade(attention, head, y, x), shade(attention, head, y + 1, x)));
        }
        line.append(' ');
      }
      terminal.println(line.toString());
    }
  }

  private String pixels(int above, int below) {
    return above < 0 && below < 0
        ? " "
        : below < 0
            ? terminal.styled("fg(" + above + ")", "▀")
            : above < 0
                ? terminal.styled("fg(" + below + ")", "▄")
                : terminal.styled("fg(" + above + "),bg(" + below + ")", "▀");
  }

  /** Colour of a pixel, the largest weight in it; −1 where no query sees a key. */
  private static int shade(PooledAttention attention, HeadId head, int y, int x) {
    if (x > y) {
      return -1;
    }
    int side = attention.side();
    double most = 0;
    for (int q = y * side / SIDE; q < (y + 1) * side / SIDE; q++) {
      for (int k = x * side / SIDE; k < (x + 1) * side / SIDE; k++) {
        most = Math.max(most, attention.weight(head, q, k));
      }
    }
    return DARK + (int) Math.round(Math.sqrt(Math.min(1, most)) * (SHADES - 1));
  }
}
