package org.modeltracer.lens;

import java.util.List;

/**
 * What a lens looks for.
 *
 * @param everyPosition every position of a prompt rather than its last only
 * @param top tokens listed per layer
 * @param tracked tokens followed through all layers; empty means the most likely in the end; the
 *     one that comes next is followed either way
 */
public record LensOptions(boolean everyPosition, int top, List<Integer> tracked) {
  /** Copies the list and checks the number. */
  public LensOptions {
    tracked = List.copyOf(tracked);
    if (top < 1) {
      throw new IllegalArgumentException("a lens lists at least 1 token, not " + top);
    }
  }
}
