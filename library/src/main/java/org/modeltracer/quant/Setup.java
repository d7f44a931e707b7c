package org.modeltracer.quant;

import java.nio.file.Path;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.Placement;

/**
 * A model and how to run it.
 *
 * @param model the GGUF file
 * @param placement where to run it
 * @param context how to set it up; what counts of its batch sizes is the micro batch
 */
public record Setup(Path model, Placement placement, ContextOptions context) {
  /** Tokens computed together unless told otherwise: logits of large vocabularies take room. */
  public static final int MICRO_BATCH = 64;

  /** A model on the usual llama.cpp, one thread. */
  public static Setup of(Path model) {
    var context = ContextOptions.defaults().withBatch(MICRO_BATCH, MICRO_BATCH);
    return new Setup(model, Placement.usual(), context);
  }

  /** The same with another context. */
  public Setup withContext(ContextOptions other) {
    return new Setup(model, placement, other);
  }

  /** The same with another llama.cpp, which runs in a process of its own. */
  public Setup withLibrary(Path other) {
    return new Setup(model, placement.onLibrary(other), context);
  }
}
