package org.modeltracer.attention;

import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * How rows of weights are kept, from exact to next to nothing.
 *
 * @param kind what is kept of a row
 * @param top number of largest weights kept per row, where {@code kind} is {@code TOP}
 */
record KeptForm(Kind kind, int top) {
  private static final int FIRST_TOP = 64;

  static final KeptForm EXACT = new KeptForm(Kind.F32, 0);

  enum Kind {
    F32,
    F16,
    TOP
  }

  /** The next smaller form, null when there is none. */
  @Nullable KeptForm smaller() {
    return switch (kind) {
      case F32 -> new KeptForm(Kind.F16, 0);
      case F16 -> new KeptForm(Kind.TOP, FIRST_TOP);
      case TOP -> top == 1 ? null : new KeptForm(Kind.TOP, top / 2);
    };
  }

  @Override
  public String toString() {
    return kind == Kind.TOP ? "top-" + top : kind.name().toLowerCase(Locale.ROOT);
  }
}
