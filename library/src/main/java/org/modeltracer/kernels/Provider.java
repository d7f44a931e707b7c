package org.modeltracer.kernels;

import org.jspecify.annotations.Nullable;

/** Which kernels there are, and which of them are used. */
final class Provider {
  private static final String MODULE = "jdk.incubator.vector";

  /**
   * Parameters of a model from which on vectors pay. Until they are compiled they are a hundred
   * times slower than the scalar kernels, and compiling them takes a second of CPU time.
   */
  private static final long LARGE = 20_000_000;

  private static final Kernels SCALAR = new ScalarKernels();

  /** Set {@code scalar} to do without vectors, {@code vector} to use them for every model. */
  private static final @Nullable String WANTED = System.getProperty("modeltracer.kernels");

  private static final boolean VECTORS =
      !"scalar".equals(WANTED) && ModuleLayer.boot().findModule(MODULE).isPresent();

  private static volatile Kernels chosen =
      VECTORS && "vector".equals(WANTED) ? Vectors.KERNELS : SCALAR;

  private Provider() {}

  /** Loaded with the module alone. */
  private static final class Vectors {
    static final Kernels KERNELS = new VectorKernels();
  }

  static Kernels chosen() {
    return chosen;
  }

  static boolean large(long parameters) {
    return parameters >= LARGE;
  }

  static void expect(long parameters) {
    if (VECTORS && large(parameters)) {
      chosen = Vectors.KERNELS;
    }
  }
}
