package org.modeltracer.quant;

import java.nio.file.Path;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.Engine;

/**
 * A model and how to run it.
 *
 * @param model the GGUF file
 * @param engine what runs it
 * @param context how to set it up; what counts of its batch sizes is the micro batch
 */
public record Setup(Path model, Engine engine, ContextOptions context) {
  /** Tokens computed together by default: logits of large vocabularies take room. */
  public static final int MICRO_BATCH = 64;

  /** A model on the usual llama.cpp, one thread. */
  public static Setup of(Path model) {
    var context = ContextOptions.defaults().withBatch(MICRO_BATCH, MICRO_BATCH);
    return new Setup(model, Engine.usual(), context);
  }

  /** The same with another context. */
  public Setup withContext(ContextOptions other) {
    return new Setup(model, engine, other);
  }

  /** The same with another llama.cpp, which runs in a process of its own. */
  public Setup withLibrary(Path other) {
    return new Setup(model, engine.onLibrary(other), context);
  }
}
