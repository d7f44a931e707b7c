package org.modeltracer.cli;

import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.modeltracer.cli.terminal.CliException;
import org.modeltracer.cli.terminal.ExitCode;
import picocli.CommandLine.Option;

/** Which model, and which llama.cpp. */
final class ModelArguments {
  @Option(
      names = {"-m", "--model"},
      paramLabel = "FILE",
      description = "The GGUF file.")
  @Nullable Path file;

  @Option(
      names = "--llama-lib",
      paramLabel = "PATH",
      description =
          "Use your own llama.cpp: a library, or a folder that holds one"
              + " (also MODELTRACER_LLAMA_LIB).")
  @Nullable Path library;

  @Option(
      names = {"-ngl", "--gpu-layers", "--n-gpu-layers"},
      paramLabel = "N",
      defaultValue = "-1",
      description = "Layers to put on the GPU (default: as llama.cpp does).")
  int gpuLayers;

  @Option(
      names = "--rpc",
      paramLabel = "HOST:PORT,…",
      split = ",",
      description = "Spread the model over machines that run llama.cpp's rpc-server.")
  List<String> rpcServers = List.of();

  @Option(
      names = "--check-tensors",
      description = "Have llama.cpp validate all tensor data while it loads.")
  boolean checkTensors;

  Path file() {
    if (file == null) {
      throw new CliException(ExitCode.USAGE, "no model; name a GGUF file with -m FILE");
    }
    return file;
  }
}
