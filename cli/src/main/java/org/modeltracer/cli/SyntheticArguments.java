package org.modeltracer.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.modeltracer.cli.terminal.CliException;
import org.modeltracer.cli.terminal.ExitCode;
import org.modeltracer.cli.terminal.Terminal;
import org.modeltracer.gguf.GgmlType;
import org.modeltracer.llama.LlamaRuntime;
import picocli.CommandLine.Option;

/** A model made for a measurement, where none is named. */
@Heading(Heading.Topic.MODEL)
final class SyntheticArguments {
  private static final long SEED = 1;

  @Option(
      names = "--synthetic",
      paramLabel = "SIZE",
      description =
          "Make a model of random weights, of the shape of GPT-2 small (125m), Qwen2.5-0.5B (0.5b),"
              + " Llama-3.2-1B (1b) or Llama-3.1-8B (8b), and delete it afterwards.")
  private @Nullable String size;

  @Option(
      names = "--quantize",
      paramLabel = "TYPE",
      defaultValue = "q8_0",
      description = "Type of its matrices, as ggml calls it (default: ${DEFAULT-VALUE}).")
  private String type = "q8_0";

  @Option(names = "--keep", paramLabel = "FILE", description = "Write it there, and keep it.")
  private @Nullable Path keep;

  /** Makes the model and has it used; returns the file to delete afterwards, null for none. */
  @Nullable Path make(ModelArguments model, Terminal terminal) {
    if (size == null) {
      if (keep != null) {
        throw new CliException(ExitCode.USAGE, "--keep is for what --synthetic makes");
      }
      return null;
    }
    if (model.choice().isNamed()) {
      throw new CliException(ExitCode.USAGE, "either a model or --synthetic, not both");
    }
    LlamaRuntime runtime = model.runtime(terminal);
    Path file = write(shape(size), keep, runtime, terminal);
    model.choice().use(file);
    return keep == null ? file : null;
  }

  /** Writes a model of a shape, to a temporary file where none is named. */
  Path write(
      SyntheticModel.Shape shape, @Nullable Path keep, LlamaRuntime runtime, Terminal terminal) {
    var made = new SyntheticModel(shape, matrices(runtime), SEED);
    Path file = keep == null ? temporary() : keep.toAbsolutePath();
    try {
      room(file, made.bytes());
      runtime.call(
          () -> {
            made.write(file, runtime, share -> terminal.progress("writing", share, 1));
            return file;
          });
    } catch (IOException | RuntimeException e) {
      remove(keep == null ? file : null);
      throw e instanceof CliException known
          ? known
          : new CliException(
              ExitCode.FAILURE, "%s cannot be written: %s".formatted(file, e.getMessage()));
    }
    return file;
  }

  private static SyntheticModel.Shape shape(String name) {
    try {
      return SyntheticModel.Shape.named(name);
    } catch (IllegalArgumentException e) {
      throw new CliException(ExitCode.USAGE, "--synthetic: " + e.getMessage());
    }
  }

  private GgmlType matrices(LlamaRuntime runtime) {
    return Stream.of(GgmlType.values())
        .filter(known -> known.name().equalsIgnoreCase(type) && runtime.quantizes(known))
        .findFirst()
        .orElseThrow(
            () ->
                new CliException(
                    ExitCode.USAGE,
                    "--quantize: ggml makes no %s by itself; q8_0, q4_K or f16, for instance"
                        .formatted(type)));
  }

  private static Path temporary() {
    try {
      return Files.createTempDirectory("modeltracer").resolve("synthetic.gguf");
    } catch (IOException e) {
      throw new CliException(
          ExitCode.FAILURE, "no temporary folder can be made: " + e.getMessage());
    }
  }

  private static void room(Path file, long bytes) throws IOException {
    Path folder = file.getParent();
    long free = folder == null ? bytes : Files.getFileStore(folder).getUsableSpace();
    if (free < bytes) {
      throw new CliException(
          ExitCode.FAILURE,
          "the model takes %,d bytes and %s has %,d; --keep names another place"
              .formatted(bytes, folder, free));
    }
  }

  /** Deletes a temporary model. */
  void remove(@Nullable Path file) {
    if (file == null) {
      return;
    }
    try {
      Files.deleteIfExists(file);
      Path folder = file.getParent();
      if (folder != null) {
        Files.deleteIfExists(folder);
      }
    } catch (IOException e) {
      // It lies among temporary files, which the system removes.
      return;
    }
  }
}
