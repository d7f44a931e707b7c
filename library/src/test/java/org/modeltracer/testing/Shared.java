package org.modeltracer.testing;

import static org.assertj.core.api.Assumptions.assumeThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.stream.Stream;

/** Files of a folder {@code shared} beside the project or above it, which not everyone has. */
public final class Shared {
  private Shared() {}

  /** A file, such as {@code real} and its name, if it is there. */
  public static Optional<Path> find(String folder, String name) {
    return Stream.iterate(Path.of("").toAbsolutePath(), up -> up != null, Path::getParent)
        .map(up -> up.resolve("shared").resolve(folder).resolve(name))
        .filter(Files::isRegularFile)
        .findFirst();
  }

  /** The same; without it the test is skipped, with a notice. */
  public static Path file(String folder, String name) {
    var file = find(folder, name);
    assumeThat(file).as("shared/" + folder + "/" + name + " is not beside the project").isPresent();
    return file.orElseThrow();
  }
}
