package org.modeltracer.llama;

import java.util.Optional;

/** The embedded builds of llama.cpp by generation, for tests in other packages. */
public final class EmbeddedRuntime {
  private EmbeddedRuntime() {}

  /** The build of that name, when this platform has it. */
  public static Optional<LlamaRuntime> of(String generation) {
    return Runtimes.embedded(generation).map(LlamaRuntime::load);
  }
}
