package org.modeltracer.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.modeltracer.cli.terminal.CliException;
import org.modeltracer.cli.terminal.ExitCode;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** The one model of a command, behind {@code -m} or by itself. */
@Heading(Heading.Topic.MODEL)
final class ModelFile {
  @Parameters(paramLabel = "FILE", arity = "0..*", description = "The model, a GGUF file.")
  private List<Path> named = new ArrayList<>();

  @Option(
      names = {"-m", "--model"},
      paramLabel = "FILE",
      description = "The same as naming it alone.")
  private List<Path> files = new ArrayList<>();

  /** The file that was named, once or more often. */
  Path file() {
    List<Path> all = Stream.concat(files.stream(), named.stream()).distinct().toList();
    if (all.isEmpty()) {
      throw new CliException(ExitCode.USAGE, "no model; name a GGUF file, as FILE or -m FILE");
    }
    if (all.size() > 1) {
      throw new CliException(
          ExitCode.USAGE,
          "one model at a time, not '%s' and '%s'; a text of several words needs quotes"
              .formatted(all.get(0), all.get(1)));
    }
    return all.getFirst();
  }

  /** Takes a file that was made for the purpose. */
  void use(Path made) {
    files = List.of(made);
  }

  /** Whether a file was named. */
  boolean isNamed() {
    return !files.isEmpty() || !named.isEmpty();
  }
}
