package org.modeltracer.cli;

import java.util.List;
import org.modeltracer.cli.terminal.CliException;
import org.modeltracer.cli.terminal.ExitCode;
import org.modeltracer.cli.terminal.Terminal;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.LoadChecks;
import org.modeltracer.llama.Device;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.ModelOptions;
import org.modeltracer.llama.ModelOptions.Placement;
import org.modeltracer.llama.NativeWarning;

/**
 * A model that was checked before native code saw it, and then loaded.
 *
 * @param file what the header says
 * @param model the model
 */
record LoadedModel(GgufFile file, LlamaModel model) implements AutoCloseable {

  /**
   * Checks and loads the model that the arguments name, when there is memory for it and its
   * context; what may be wrong goes to the terminal.
   */
  static LoadedModel open(ModelArguments arguments, ContextArguments context, Terminal terminal) {
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
    if (staysHere(runtime, options)) {
      fits(MemoryNeed.of(file, context.options(file)), options, terminal);
    }
    context.beyondTraining(file).ifPresent(words -> warn(terminal, words));
    LlamaModel model = runtime.open(file.path(), options);
    warn(model.warnings(), terminal);
    return new LoadedModel(file, model);
  }

  /** Whether all of the model lies in this machine's own memory. */
  private static boolean staysHere(LlamaRuntime runtime, ModelOptions options) {
    Placement placement = options.placement();
    return placement.rpcServers().isEmpty()
        && (placement.gpuLayers() == 0
            || runtime.devices(placement).stream().noneMatch(Device::offloads));
  }

  private static void fits(MemoryNeed need, ModelOptions options, Terminal terminal) {
    MemoryNeed.Machine machine = MemoryNeed.Machine.here();
    // A mapped file need not be in memory as a whole.
    long certain = need.cache() + (options.memoryMapped() ? 0 : need.weights());
    if (certain > machine.all()) {
      throw new CliException(
          ExitCode.USAGE, need.words(machine.all(), "the machine has") + ": " + MemoryNeed.REMEDY);
    }
    if (need.all() > machine.available()) {
      warn(terminal, need.words(machine.available(), "free now are") + ": " + MemoryNeed.REMEDY);
    }
  }

  /** Passes on what llama.cpp warned of, where that has a consequence. */
  static void warn(List<NativeWarning> warnings, Terminal terminal) {
    warnings.stream()
        .filter(warning -> !warning.harmless())
        .forEach(warning -> terminal.note("modeltracer: llama.cpp warns: " + warning));
  }

  /** Name of the model's file. */
  String name() {
    return String.valueOf(file.path().getFileName());
  }

  /** Says what is odd about prompts. */
  void remarks(List<int[]> prompts, Terminal terminal) {
    ChatArguments.doubledBos(model.vocabulary(), prompts).forEach(words -> warn(terminal, words));
  }

  private static void warn(Terminal terminal, String words) {
    terminal.note("modeltracer: warning: " + words);
  }

  @Override
  public void close() {
    model.close();
  }
}
