package org.modeltracer.cli;

import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.modeltracer.cli.terminal.Terminal;
import org.modeltracer.llama.Engine;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.ModelOptions;
import picocli.CommandLine.Option;

/** Which llama.cpp, and where it puts the weights. */
@Heading(Heading.Topic.ENGINE)
final class EngineArguments {
  @Option(
      names = DeviceListing.LIBRARY,
      paramLabel = "PATH",
      description =
          "Use your own llama.cpp: a library, or a folder that holds one"
              + " (also MODELTRACER_LLAMA_LIB).")
  private @Nullable Path library;

  @Option(
      names = {"-ngl", "--gpu-layers", "--n-gpu-layers"},
      paramLabel = "N",
      defaultValue = "-1",
      description = "Layers to put on the GPU (default: as llama.cpp does).")
  private int gpuLayers;

  @Option(
      names = {"--backend", "-dev", "--device"},
      paramLabel = "NAME,…",
      split = ",",
      hideParamSyntax = true,
      description =
          "Offload to this device or backend alone, such as vulkan; cpu or none for the processor"
              + " (default: as llama.cpp does).")
  private List<String> devices = List.of();

  @Option(
      names = {DeviceListing.OPTION, "--list-devices"},
      help = true,
      description = "List what --backend can name, and stop.")
  @SuppressWarnings("UnusedVariable") // DeviceListing looks for it before the command begins.
  private boolean listing;

  @Option(
      names = "--rpc",
      paramLabel = "HOST:PORT,…",
      split = ",",
      hideParamSyntax = true,
      description = "Spread the model over machines that run llama.cpp's rpc-server.")
  private List<String> rpcServers = List.of();

  Engine engine() {
    ModelOptions options =
        ModelOptions.defaults()
            .withGpuLayers(gpuLayers)
            .withDevices(devices(devices))
            .withRpcServers(rpcServers);
    return new Engine(library, options.placement());
  }

  /** The library's names of what was asked for: llama.cpp's programs say none for the processor. */
  static List<String> devices(List<String> words) {
    return words.equals(List.of("none")) ? List.of("cpu") : words;
  }

  /** Loads that llama.cpp, whose notes and last words go to the terminal. */
  LlamaRuntime runtime(Terminal terminal) {
    LlamaRuntime runtime = engine().runtime();
    Failures.onAbort(runtime, terminal, () -> {});
    runtime.note().ifPresent(note -> terminal.note("modeltracer: note: " + note));
    return runtime;
  }
}
