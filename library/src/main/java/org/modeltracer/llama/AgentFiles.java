package org.modeltracer.llama;

import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The agent that traced programs load, as the build has compiled it for this platform.
 *
 * <p>It comes with the embedded llama.cpp, in a folder of its own.
 */
public final class AgentFiles {
  private AgentFiles() {}

  /**
   * The library that a traced program loads.
   *
   * @throws LlamaException where it was not built, which says how to get it
   */
  public static Path library() {
    return file("libmodeltracer-agent.so");
  }

  /**
   * The library of {@link SilentCallback}.
   *
   * @throws LlamaException where it was not built, which says how to get it
   */
  static Path silent() {
    return file("libmodeltracer-silent.so");
  }

  /**
   * The program that loads the library into one that runs already.
   *
   * @throws LlamaException where it was not built, which says how to get it
   */
  public static Path injector() {
    return file("modeltracer-inject");
  }

  private static Path file(String name) {
    String platform = LibraryLocator.platform();
    return LibraryLocator.folders(System.getProperty("modeltracer.home"))
        .apply("agent", platform)
        .map(folder -> folder.resolve(name))
        .filter(Files::isRegularFile)
        .map(Path::toAbsolutePath)
        .orElseThrow(
            () ->
                new LlamaException(
                    LlamaException.Kind.LIBRARY,
                    "no agent for %s comes with this program: the build compiles it on Linux where there is a C compiler (cc), so install one and build again"
                        .formatted(platform)));
  }
}
