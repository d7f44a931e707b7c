package org.modeltracer.testing;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/**
 * Tiny models of many architectures: those of the project, and larger ones of the same names where
 * a folder {@code shared/archs} lies beside the project.
 */
public final class Architectures {
  private Architectures() {}

  /** A model of the project, by its file's name without suffix. */
  public static Path model(String name) {
    return SmallArchitectures.FOLDER.resolve(name + ".gguf");
  }

  /** All models, the project's own first. */
  public static List<Path> all() {
    List<Path> own = in(SmallArchitectures.FOLDER);
    if (own.isEmpty()) {
      throw new IllegalStateException("no models in " + SmallArchitectures.FOLDER);
    }
    return Stream.concat(own.stream(), beside().flatMap(folder -> in(folder).stream())).toList();
  }

  /** The folder {@code shared/archs} beside the project or above it, if there is one. */
  private static Stream<Path> beside() {
    return Stream.iterate(Path.of("").toAbsolutePath(), up -> up != null, Path::getParent)
        .map(up -> up.resolve("shared").resolve("archs"))
        .filter(Files::isDirectory)
        .limit(1);
  }

  private static List<Path> in(Path folder) {
    try (Stream<Path> files = Files.list(folder)) {
      return files.filter(f -> f.toString().endsWith(".gguf")).sorted().toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
