package org.modeltracer.testing;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

/** Files that appear in the working folder or the temporary one and should not have. */
public final class Leftovers {
  private static final Path WORKING = Path.of("").toAbsolutePath();
  private static final Path TEMPORARY = Path.of(System.getProperty("java.io.tmpdir"));

  private final Set<Path> before = new HashSet<>();

  /** Remembers what is there now. */
  public void look() throws IOException {
    before.clear();
    before.addAll(all());
  }

  /** What was not there, and is of a kind that Java, a crash or a library leaves. */
  public List<Path> found() throws IOException {
    return all().stream()
        .filter(file -> !before.contains(file))
        .filter(
            file ->
                file.startsWith(WORKING)
                    || file.getFileName().toString().matches("(hs_err|core|hsperf|modeltracer).*"))
        .toList();
  }

  private static Set<Path> all() throws IOException {
    var all = new HashSet<Path>();
    for (Path folder : List.of(WORKING, TEMPORARY)) {
      try (Stream<Path> files = Files.list(folder)) {
        files.forEach(all::add);
      }
    }
    Path performance = TEMPORARY.resolve("hsperfdata_" + System.getProperty("user.name"));
    if (Files.isDirectory(performance)) {
      try (Stream<Path> files = Files.list(performance)) {
        // Others may start and end Java meanwhile; a worker of ours is no other.
        Set<String> ours = new HashSet<>();
        ProcessHandle.current().descendants().forEach(p -> ours.add(String.valueOf(p.pid())));
        files.filter(f -> ours.contains(f.getFileName().toString())).forEach(all::add);
      }
    }
    return all;
  }
}
