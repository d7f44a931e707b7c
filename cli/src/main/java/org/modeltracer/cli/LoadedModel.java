package org.modeltracer.cli;

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
 * @param model the model
 */
record LoadedModel(GgufFile file, LlamaModel model) implements AutoCloseable {

  /** Checks and loads the model that the arguments name. */
  static LoadedModel open(ModelArguments arguments, Terminal terminal) {
    GgufFile file = LoadChecks.read(arguments.file());
    LlamaRuntime runtime = arguments.runtime(terminal);
    ModelOptions options =
        arguments
            .options()
            .withProgress(
                share -> {
                  terminal.progress("loading", share, 1);
                  return true;
                });
    return new LoadedModel(file, runtime.open(file.path(), options));
  }

  @Override
  public void close() {
    model.close();
  }
}
