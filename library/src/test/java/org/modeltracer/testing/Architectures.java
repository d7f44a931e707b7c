package org.modeltracer.testing;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Tiny models of many architectures, which lie beside the project where they are at hand at all.
 */
public final class Architectures {
  private Architectures() {}

  /** The folder {@code shared/archs} beside the project or above it. */
  public static Optional<Path> folder() {
    return Stream.iterate(Path.of("").toAbsolutePath(), up -> up != null, Path::getParent)
        .map(up -> up.resolve("shared").resolve("archs"))
        .filter(Files::isDirectory)
        .findFirst();
  }

  /** A model file by its architecture's name; the test is skipped where there is none. */
  public static Path model(String name) {
    Path file = folder().map(f -> f.resolve(name + ".gguf")).orElse(Path.of(name + ".gguf"));
    assumeTrue(Files.exists(file), () -> "no ../shared/archs/" + file.getFileName());
    return file;
  }

  /** All model files; the test is skipped where there are none. */
  public static List<Path> required() {
    List<Path> all = all();
    assumeTrue(!all.isEmpty(), "no folder ../shared/archs with models of other architectures");
    return all;
  }

  /** All model files, or none. */
  public static List<Path> all() {
    if (folder().isEmpty()) {
      return List.of();
    }
    try (Stream<Path> files = Files.list(folder().get())) {
      return files.filter(f -> f.toString().endsWith(".gguf")).sorted().toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
