package org.modeltracer.llama;

import java.util.List;
import java.util.function.DoublePredicate;
import org.jspecify.annotations.Nullable;

/**
 * How to load a model.
 *
 * @param gpuLayers layers to offload, as llama.cpp's {@code -ngl}; negative leaves it to llama.cpp
 * @param checkTensors whether llama.cpp validates all tensor data while loading
 * @param vocabularyOnly whether to load only metadata and vocabulary
 * @param extraBuffers whether llama.cpp may repack weights for the processor
 * @param rpcServers servers of llama.cpp's RPC backend to spread the model over, each {@code
 *     HOST:PORT}; empty for none
 * @param progress told the share loaded, 0 to 1; returns false to cancel; null for none
 */
public record ModelOptions(
    int gpuLayers,
    boolean checkTensors,
    boolean vocabularyOnly,
    boolean extraBuffers,
    List<String> rpcServers,
    @Nullable DoublePredicate progress) {

  /** Copies the list of servers. */
  public ModelOptions {
    rpcServers = List.copyOf(rpcServers);
  }

  /** llama.cpp's own defaults, no progress. */
  public static ModelOptions defaults() {
    return new ModelOptions(-1, false, false, true, List.of(), null);
  }

  /** The same with layers offloaded. */
  public ModelOptions withGpuLayers(int layers) {
    return new ModelOptions(
        layers, checkTensors, vocabularyOnly, extraBuffers, rpcServers, progress);
  }

  /** The same with tensor data validated while loading, or not. */
  public ModelOptions withCheckTensors(boolean check) {
    return new ModelOptions(gpuLayers, check, vocabularyOnly, extraBuffers, rpcServers, progress);
  }

  /** The same with only the vocabulary loaded, or all. */
  public ModelOptions withVocabularyOnly(boolean only) {
    return new ModelOptions(gpuLayers, checkTensors, only, extraBuffers, rpcServers, progress);
  }

  /** The same with weights repacked for the processor, or as they are in the file. */
  public ModelOptions withExtraBuffers(boolean allow) {
    return new ModelOptions(gpuLayers, checkTensors, vocabularyOnly, allow, rpcServers, progress);
  }

  /** The same spread over RPC servers, each {@code HOST:PORT}. */
  public ModelOptions withRpcServers(List<String> servers) {
    return new ModelOptions(
        gpuLayers, checkTensors, vocabularyOnly, extraBuffers, servers, progress);
  }

  /** The same with a listener for progress. */
  public ModelOptions withProgress(DoublePredicate listener) {
    return new ModelOptions(
        gpuLayers, checkTensors, vocabularyOnly, extraBuffers, rpcServers, listener);
  }
}
