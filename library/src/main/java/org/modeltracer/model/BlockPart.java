package org.modeltracer.model;

import java.util.Locale;

/** A number that all values of a quantized block share. */
public enum BlockPart {
  /** Multiplies the codes of the block. */
  SCALE,
  /** Is added to, or subtracted from, all of its values. */
  MINIMUM;

  /** As in JSON. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
