package org.modeltracer.cli;

import java.nio.file.Path;
import org.modeltracer.cli.terminal.ExitCode;
import org.modeltracer.cli.terminal.Terminal;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.LoadChecks;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.ModelOptions;

/**
 * A model that was checked before native code saw it, and then loaded.
 *
 * @param file what the header says
 * @param runtime the llama.cpp that loaded it
 * @param model the model
 */
record LoadedModel(GgufFile file, LlamaRuntime runtime, LlamaModel model) implements AutoCloseable {

  /** Checks and loads the model that the arguments name. */
  static LoadedModel open(ModelArguments arguments, Terminal terminal) {
    GgufFile file = checked(arguments.file());
    LlamaRuntime runtime = runtime(arguments, terminal);
    var options =
        ModelOptions.defaults()
            .withGpuLayers(arguments.gpuLayers)
            .withRpcServers(arguments.rpcServers)
            .withCheckTensors(arguments.checkTensors)
            .withProgress(
                share -> {
                  terminal.progress("loading", share, 1);
                  return true;
                });
    return new LoadedModel(file, runtime, runtime.open(file.path(), options));
  }

  /** Reads a file's header, strictly. */
  static GgufFile checked(Path path) {
    GgufFile file = GgufFile.read(path);
    LoadChecks.require(file);
    return file;
  }

  static LlamaRuntime runtime(ModelArguments arguments, Terminal terminal) {
    LlamaRuntime runtime = LlamaRuntime.loadFrom(arguments.library);
    runtime.onAbort(
        message -> {
          terminal.note("modeltracer: llama.cpp failed an assertion and cannot go on: " + message);
          Runtime.getRuntime().halt(ExitCode.FAILURE.code());
        });
    runtime.note().ifPresent(note -> terminal.note("modeltracer: note: " + note));
    return runtime;
  }

  @Override
  public void close() {
    model.close();
  }
}
