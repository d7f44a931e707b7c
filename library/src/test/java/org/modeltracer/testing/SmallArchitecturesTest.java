package org.modeltracer.testing;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.weights.Hashes;

/** What stands in {@code models} is what its writer writes, and what its README names. */
class SmallArchitecturesTest {
  static List<String> names() throws IOException {
    return SmallArchitectures.names();
  }

  @ParameterizedTest
  @MethodSource("names")
  void filesAreAsWritten(String name) throws IOException {
    assertThat(SmallArchitectures.FOLDER.resolve(name + ".gguf"))
        .hasBinaryContent(SmallArchitectures.bytes(name));
  }

  @Test
  void theReadmeHasTheHashOfEveryModel() throws IOException {
    Path models = Path.of("models");
    var hashes = new TreeSet<String>();
    try (Stream<Path> files = Files.walk(models)) {
      for (Path file : files.filter(f -> f.toString().endsWith(".gguf")).toList()) {
        hashes.add(Hashes.file(file) + "  " + models.relativize(file));
      }
    }
    List<String> listed =
        Files.readAllLines(models.resolve("README.md")).stream()
            .filter(line -> line.matches("[0-9a-f]{64}  .*"))
            .toList();
    assertThat(hashes).isNotEmpty();
    assertThat(listed).containsExactlyInAnyOrderElementsOf(hashes);
  }
}
