package org.modeltracer.llama;

import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Where a model runs: on which llama.cpp, and on which devices.
 *
 * @param library llama.cpp's library or a folder that holds one, null for the usual one
 * @param gpuLayers layers to offload, as llama.cpp's {@code -ngl}; negative leaves it to llama.cpp
 * @param rpcServers servers of llama.cpp's RPC backend, each {@code HOST:PORT}; empty for none
 */
public record Placement(@Nullable Path library, int gpuLayers, List<String> rpcServers) {
  /** Copies the list of servers. */
  public Placement {
    rpcServers = List.copyOf(rpcServers);
  }

  /** The usual llama.cpp, on the devices of its choice. */
  public static Placement usual() {
    return new Placement(null, -1, List.of());
  }

  /** The same layers of another llama.cpp, on this machine alone. */
  public Placement onLibrary(Path other) {
    return new Placement(other, gpuLayers, List.of());
  }

  /**
   * The llama.cpp.
   *
   * @throws LlamaException when it cannot be loaded or its layout is not known
   */
  public LlamaRuntime runtime() {
    return LlamaRuntime.loadFrom(library);
  }

  /** How to load a model there, all else as llama.cpp does. */
  public ModelOptions options() {
    return ModelOptions.defaults().withGpuLayers(gpuLayers).withRpcServers(rpcServers);
  }
}
