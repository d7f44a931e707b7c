package org.modeltracer.cli;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import org.modeltracer.cli.terminal.CliException;
import org.modeltracer.cli.terminal.ExitCode;
import org.modeltracer.cli.terminal.Terminal;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.ModelOptions;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Which model, and where it runs. */
final class ModelArguments {
  @Option(
      names = {"-m", "--model"},
      paramLabel = "FILE",
      description = "The GGUF file.")
  @Nullable Path file;

  @Mixin private EngineArguments engine;
  @Mixin private AdapterArguments adapters;

  @Option(
      names = "--check-tensors",
      description = "Have llama.cpp validate all tensor data while it loads.")
  private boolean checkTensors;

  @Option(
      names = "--no-mmap",
      description = "Read the weights into memory rather than mapping the file.")
  private boolean noMap;

  @Option(
      names = {"-v", "--verbose"},
      description = "Show llama.cpp's own log on stderr.")
  private boolean verbose;

  Path file() {
    if (file == null) {
      throw new CliException(ExitCode.USAGE, "no model; name a GGUF file with -m FILE");
    }
    return file;
  }

  LlamaRuntime runtime(Terminal terminal) {
    LlamaRuntime runtime = engine.runtime(terminal);
    runtime.onLog(verbose ? terminal::note : line -> {});
    return runtime;
  }

  ModelOptions options() {
    return engine
        .engine()
        .options()
        .withCheckTensors(checkTensors)
        .withMemoryMap(!noMap)
        .withAdapters(adapters.adapters());
  }
}
