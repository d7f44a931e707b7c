package org.modeltracer.llama;

import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.modeltracer.llama.ModelOptions.Placement;

/**
 * The llama.cpp that runs a model, and where it puts the weights.
 *
 * @param library its library or a folder that holds one, null for the usual one
 * @param placement where the weights go
 */
public record Engine(@Nullable Path library, Placement placement) {
  /** The usual llama.cpp, which places weights as it likes. */
  public static Engine usual() {
    return new Engine(null, ModelOptions.defaults().placement());
  }

  /** Another llama.cpp that offloads as many layers, to devices of its own on this machine. */
  public Engine onLibrary(Path other) {
    return new Engine(other, placement.withDevices(List.of()).withRpcServers(List.of()));
  }

  /** The same that offloads to these devices alone, by name. */
  public Engine onDevices(List<String> names) {
    return new Engine(library, placement.withDevices(names));
  }

  /**
   * The llama.cpp at work.
   *
   * @throws LlamaException when it cannot be loaded or its layout is not known
   */
  public LlamaRuntime runtime() {
    return LlamaRuntime.loadFrom(library);
  }

  /** How it loads a model, all else as llama.cpp does. */
  public ModelOptions options() {
    return ModelOptions.defaults().withPlacement(placement);
  }
}
