package org.modeltracer.llama;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.modeltracer.gguf.GgufException;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.GgufKind;
import org.modeltracer.process.Trail;

/** LoRA adapters of a loaded model, which frees them with itself. */
final class Adapters {
  private static final String ACTIVATED = "adapter.alora.invocation_tokens";

  private final LlamaRuntime runtime;
  private final long[] addresses;
  private final float[] scales;

  /**
   * Loads adapters for a model.
   *
   * @throws LlamaException with the reason when one is no adapter, or not of this model
   */
  Adapters(LlamaRuntime runtime, long model, List<ModelOptions.Adapter> named) {
    this.runtime = runtime;
    addresses = new long[named.size()];
    scales = new float[named.size()];
    for (int i = 0; i < addresses.length; i++) {
      addresses[i] = load(model, named.get(i).file());
      scales[i] = named.get(i).scale();
    }
  }

  private long load(long model, Path file) {
    if (!Files.isReadable(file)) {
      throw refused(file + ": no such file, or no permission to read it");
    }
    GgufFile header;
    try {
      header = GgufFile.read(file);
    } catch (GgufException e) {
      throw refused(file.getFileName() + ": " + e.getMessage());
    }
    if (header.kind() != GgufKind.ADAPTER) {
      throw refused("%s is %s, not a LoRA adapter".formatted(file.getFileName(), header.kind()));
    }
    if (header.metadata().get(ACTIVATED).isPresent()) {
      throw refused(
          file.getFileName()
              + " begins to work at tokens of its own (aLoRA), which is not supported");
    }
    runtime.log().clear();
    Trail.own().step("loading", file);
    long adapter = runtime.functions().adapter(model, file.toString());
    if (adapter == 0) {
      throw refused(
          file.getFileName()
              + ": "
              + runtime.log().firstError("llama.cpp cannot load this adapter"));
    }
    return adapter;
  }

  /** Has a context add them to its weights. */
  void apply(long context) {
    if (addresses.length > 0 && runtime.functions().adapt(context, addresses, scales) != 0) {
      throw new LlamaException(
          LlamaException.Kind.CONTEXT, "llama.cpp cannot apply the adapters to this context");
    }
  }

  private static LlamaException refused(String reason) {
    return new LlamaException(LlamaException.Kind.MODEL, reason);
  }
}
