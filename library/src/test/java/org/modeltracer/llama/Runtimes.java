package org.modeltracer.llama;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Named;

/**
 * The llama.cpp builds that tests run on: the one that MODELTRACER_LLAMA_LIB names, else every
 * embedded one.
 *
 * <p>Not both, as builds that share file names cannot be in one process.
 */
public final class Runtimes {
  private static final Path BUILT =
      Path.of("native", "target", "classes", "org", "modeltracer", "natives");

  private Runtimes() {}

  /** One argument a build, for {@code @MethodSource}. */
  public static Stream<Named<LlamaRuntime>> all() {
    return libraries().stream()
        .map(LlamaRuntime::load)
        .map(runtime -> Named.of(runtime.version(), runtime));
  }

  /** Library files; never empty, since a suite that runs on nothing proves nothing. */
  public static List<Path> libraries() {
    String named = System.getenv(LibraryLocator.VARIABLE);
    if (named != null && !named.isBlank()) {
      return List.of(LibraryLocator.resolve(Path.of(named)));
    }
    var found = new ArrayList<Path>();
    try (Stream<Path> generations = Files.list(BUILT)) {
      generations
          .filter(g -> !g.endsWith("agent"))
          .map(g -> g.resolve(LibraryLocator.platform()))
          .filter(Files::isDirectory)
          .sorted()
          .map(LibraryLocator::resolve)
          .forEach(found::add);
    } catch (IOException e) {
      throw new IllegalStateException("no runtimes in " + BUILT + "; run the build first", e);
    }
    if (found.isEmpty()) {
      throw new IllegalStateException("no runtime for this platform in " + BUILT);
    }
    return found;
  }

  /** An embedded build by the name of its folder, when this platform has it. */
  public static Optional<Path> embedded(String generation) {
    Path folder = BUILT.resolve(generation).resolve(LibraryLocator.platform());
    return Files.isDirectory(folder)
        ? Optional.of(LibraryLocator.resolve(folder))
        : Optional.empty();
  }
}
