package org.modeltracer.kernels;

import org.jspecify.annotations.Nullable;

/** Which kernels there are, and from when on those in vectors pay. */
final class Provider {
  private static final String MODULE = "jdk.incubator.vector";

  /** Numbers worked on before vectors begin: less than a second's work. */
  private static final long WARM = 1L << 25;

  private static final Kernels SCALAR = new ScalarKernels();

  /** Set {@code scalar} to do without vectors, {@code vector} to begin with them. */
  private static final @Nullable String CHOSEN = System.getProperty("modeltracer.kernels");

  private static final boolean VECTORS =
      !"scalar".equals(CHOSEN) && ModuleLayer.boot().findModule(MODULE).isPresent();

  // Threads may lose each other's counts: vectors then begin a little later.
  private static long worked = "vector".equals(CHOSEN) ? WARM : 0;

  private Provider() {}

  /** Loaded with the module alone. */
  private static final class Vectors {
    static final Kernels KERNELS = new VectorKernels();
  }

  static Kernels forWork(long numbers) {
    if (!VECTORS) {
      return SCALAR;
    }
    if (worked < WARM) {
      worked += numbers;
      return SCALAR;
    }
    return Vectors.KERNELS;
  }
}
