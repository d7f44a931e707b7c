package org.modeltracer.kernels;

import java.lang.foreign.ValueLayout;

/** How floats lie in memory that others have laid out. */
final class Layout {
  static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  private Layout() {}
}
