package org.modeltracer.llama;

import java.nio.file.Path;
import java.util.List;
import java.util.function.DoublePredicate;
import org.jspecify.annotations.Nullable;

/**
 * How to load a model.
 *
 * @param placement where the weights go
 * @param memoryMapped whether weights stay in the mapped file rather than being read into memory
 * @param adapters low-rank changes that every context of the model adds to its weights
 * @param checkTensors whether llama.cpp validates all tensor data while loading
 * @param vocabularyOnly whether to load only metadata and vocabulary
 * @param progress hears the share loaded, 0 to 1; returns false to cancel; null for none
 */
public record ModelOptions(
    Placement placement,
    boolean memoryMapped,
    List<Adapter> adapters,
    boolean checkTensors,
    boolean vocabularyOnly,
    @Nullable DoublePredicate progress) {

  /**
   * Where weights go.
   *
   * @param gpuLayers layers to offload, as llama.cpp's {@code -ngl}; negative leaves it to
   *     llama.cpp
   * @param devices what may take offloaded layers, each a device or all of a backend by name
   *     ({@code Vulkan0}, {@code vulkan}); {@code cpu} alone for nothing; empty leaves it to
   *     llama.cpp
   * @param rpcServers servers of llama.cpp's RPC backend to spread the model over, each {@code
   *     HOST:PORT}; empty for none
   * @param extraBuffers whether llama.cpp may repack weights for the processor
   */
  public record Placement(
      int gpuLayers, List<String> devices, List<String> rpcServers, boolean extraBuffers) {
    /** Copies the lists. */
    public Placement {
      devices = List.copyOf(devices);
      rpcServers = List.copyOf(rpcServers);
    }

    /** The same with layers offloaded. */
    public Placement withGpuLayers(int layers) {
      return new Placement(layers, devices, rpcServers, extraBuffers);
    }

    /** The same with other devices. */
    public Placement withDevices(List<String> names) {
      return new Placement(gpuLayers, names, rpcServers, extraBuffers);
    }

    /** The same with other servers. */
    public Placement withRpcServers(List<String> servers) {
      return new Placement(gpuLayers, devices, servers, extraBuffers);
    }
  }

  /**
   * A LoRA adapter.
   *
   * @param file GGUF file that holds it
   * @param scale what its changes are multiplied with; 1 for as trained
   */
  public record Adapter(Path file, float scale) {}

  /** Copies the list of adapters. */
  public ModelOptions {
    adapters = List.copyOf(adapters);
  }

  /** llama.cpp's own defaults, no progress. */
  public static ModelOptions defaults() {
    return new ModelOptions(
        new Placement(-1, List.of(), List.of(), true), true, List.of(), false, false, null);
  }

  /** The same with layers offloaded. */
  public ModelOptions withGpuLayers(int layers) {
    return withPlacement(placement.withGpuLayers(layers));
  }

  /** The same with layers offloaded to these devices alone, by name. */
  public ModelOptions withDevices(List<String> names) {
    return withPlacement(placement.withDevices(names));
  }

  /** The same spread over RPC servers, each {@code HOST:PORT}. */
  public ModelOptions withRpcServers(List<String> servers) {
    return withPlacement(placement.withRpcServers(servers));
  }

  /** The same with weights repacked for the processor, or as they are in the file. */
  public ModelOptions withExtraBuffers(boolean allow) {
    return withPlacement(
        new Placement(placement.gpuLayers, placement.devices, placement.rpcServers, allow));
  }

  /** The same with weights placed otherwise. */
  public ModelOptions withPlacement(Placement other) {
    return new ModelOptions(other, memoryMapped, adapters, checkTensors, vocabularyOnly, progress);
  }

  /** The same with weights in the mapped file, or read into memory. */
  public ModelOptions withMemoryMap(boolean mapped) {
    return new ModelOptions(placement, mapped, adapters, checkTensors, vocabularyOnly, progress);
  }

  /** The same with adapters added to the weights. */
  public ModelOptions withAdapters(List<Adapter> added) {
    return new ModelOptions(placement, memoryMapped, added, checkTensors, vocabularyOnly, progress);
  }

  /** The same with tensor data validated while loading, or not. */
  public ModelOptions withCheckTensors(boolean check) {
    return new ModelOptions(placement, memoryMapped, adapters, check, vocabularyOnly, progress);
  }

  /** The same with only the vocabulary loaded, or all. */
  public ModelOptions withVocabularyOnly(boolean only) {
    return new ModelOptions(placement, memoryMapped, adapters, checkTensors, only, progress);
  }

  /** The same with a listener for progress. */
  public ModelOptions withProgress(DoublePredicate listener) {
    return new ModelOptions(
        placement, memoryMapped, adapters, checkTensors, vocabularyOnly, listener);
  }
}
