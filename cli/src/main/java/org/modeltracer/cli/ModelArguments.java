package org.modeltracer.cli;

import java.nio.file.Path;
import org.modeltracer.cli.terminal.Terminal;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.ModelOptions;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Which model, and where it runs. */
@Heading(Heading.Topic.ENGINE)
final class ModelArguments {
  @Mixin private ModelFile model;
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
    return model.file();
  }

  /** Which file. */
  ModelFile choice() {
    return model;
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
