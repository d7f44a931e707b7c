package org.modeltracer.llama;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/** The embedded builds of llama.cpp by generation, for tests in other packages. */
public final class EmbeddedRuntime {
  private EmbeddedRuntime() {}

  /** The build in that folder of target/runtime, when this platform has it. */
  public static Optional<LlamaRuntime> of(String generation) {
    Path folder = Path.of("target", "runtime", generation, LibraryLocator.platform());
    return Files.isDirectory(folder)
        ? Optional.of(LlamaRuntime.load(LibraryLocator.resolve(folder)))
        : Optional.empty();
  }
}
