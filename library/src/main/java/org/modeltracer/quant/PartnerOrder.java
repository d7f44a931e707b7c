package org.modeltracer.quant;

import com.fasterxml.jackson.annotation.JsonTypeInfo;
import java.nio.file.Path;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.modeltracer.llama.ContextOptions;

/** What the process with the other model is asked to do. */
@JsonTypeInfo(use = JsonTypeInfo.Id.SIMPLE_NAME)
sealed interface PartnerOrder {
  /** Open a model; comes first. */
  record Open(String model, @Nullable String library, int gpuLayers, ContextOptions context)
      implements PartnerOrder {
    static Open of(Setup setup) {
      String library = setup.library() == null ? null : setup.library().toString();
      return new Open(setup.model().toString(), library, setup.gpuLayers(), setup.context());
    }

    Setup setup() {
      Path own = library == null ? null : Path.of(library);
      return new Setup(Path.of(model), own, gpuLayers, context);
    }
  }

  /** Run a pass over a text, as {@link Partner#begin} says. */
  record Begin(int[] tokens, Set<String> wanted, Set<String> steered) implements PartnerOrder {}

  /** Go on with the values that follow, or, where there are none, with your own. */
  record Answer(long bytes) implements PartnerOrder {}

  /** End the pass. */
  record Cancel() implements PartnerOrder {}
}
