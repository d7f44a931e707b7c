package org.modeltracer.quant;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import org.modeltracer.llama.ContextOptions;

/**
 * A model and how to run it.
 *
 * @param model the GGUF file
 * @param library llama.cpp to run it with, null for the usual one
 * @param gpuLayers layers to put on the GPU, −1 for llama.cpp's choice
 * @param context how to set it up; what counts of its batch sizes is the micro batch
 */
public record Setup(Path model, @Nullable Path library, int gpuLayers, ContextOptions context) {
  /** Tokens computed together by default: logits of large vocabularies take room. */
  public static final int MICRO_BATCH = 64;

  /** A model on the usual llama.cpp, one thread. */
  public static Setup of(Path model) {
    var context = ContextOptions.defaults().withBatch(MICRO_BATCH, MICRO_BATCH);
    return new Setup(model, null, -1, context);
  }

  /** The same with another context. */
  public Setup withContext(ContextOptions other) {
    return new Setup(model, library, gpuLayers, other);
  }

  /** The same with another llama.cpp, which runs in a process of its own. */
  public Setup withLibrary(Path other) {
    return new Setup(model, other, gpuLayers, context);
  }
}
