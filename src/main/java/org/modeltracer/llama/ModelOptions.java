package org.modeltracer.llama;

import java.util.function.DoublePredicate;
import org.jspecify.annotations.Nullable;

/**
 * How to load a model.
 *
 * @param gpuLayers layers to offload, as llama.cpp's {@code -ngl}; negative leaves it to llama.cpp
 * @param checkTensors whether llama.cpp validates all tensor data while loading
 * @param vocabularyOnly whether to load only metadata and vocabulary
 * @param extraBuffers whether llama.cpp may repack weights for the processor
 * @param progress told the share loaded, 0 to 1; returns false to cancel; null for none
 */
public record ModelOptions(
    int gpuLayers,
    boolean checkTensors,
    boolean vocabularyOnly,
    boolean extraBuffers,
    @Nullable DoublePredicate progress) {

  /** llama.cpp's own defaults, no progress. */
  public static ModelOptions defaults() {
    return new ModelOptions(-1, false, false, true, null);
  }

  /** The same with layers offloaded. */
  public ModelOptions withGpuLayers(int layers) {
    return new ModelOptions(layers, checkTensors, vocabularyOnly, extraBuffers, progress);
  }

  /** The same with tensor data validated while loading, or not. */
  public ModelOptions withCheckTensors(boolean check) {
    return new ModelOptions(gpuLayers, check, vocabularyOnly, extraBuffers, progress);
  }

  /** The same with only the vocabulary loaded, or all. */
  public ModelOptions withVocabularyOnly(boolean only) {
    return new ModelOptions(gpuLayers, checkTensors, only, extraBuffers, progress);
  }

  /** The same with weights repacked for the processor, or as they are in the file. */
  public ModelOptions withExtraBuffers(boolean allow) {
    return new ModelOptions(gpuLayers, checkTensors, vocabularyOnly, allow, progress);
  }

  /** The same with a listener for progress. */
  public ModelOptions withProgress(DoublePredicate listener) {
    return new ModelOptions(gpuLayers, checkTensors, vocabularyOnly, extraBuffers, listener);
  }
}
