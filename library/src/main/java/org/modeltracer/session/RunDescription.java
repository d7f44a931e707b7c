package org.modeltracer.session;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.Quantization;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.ModelOptions;
import org.modeltracer.model.CutText;
import org.modeltracer.model.Site;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.SummaryField;
import org.modeltracer.weights.Hashes;

/** What a summary says about the program, the runtime, the model and the run. */
public final class RunDescription {
  private final GgufFile file;
  private final LlamaModel model;
  private final TracedSession session;
  private final SessionOptions options;
  private final CompletableFuture<Map<String, String>> hashes;
  private final long begin = System.nanoTime();
  private final PromptLog prompts = new PromptLog();

  /** Describes a session on the model of a file, whose hash is computed meanwhile. */
  public RunDescription(GgufFile file, TracedSession session, SessionOptions options) {
    this.file = file;
    this.session = session;
    this.options = options;
    model = session.context().model();
    hashes = CompletableFuture.supplyAsync(() -> Hashes.files(file));
  }

  /** Version of this program, from the build. */
  public static String version() {
    String version = RunDescription.class.getPackage().getImplementationVersion();
    return version == null ? "development" : version;
  }

  /** The prompts so far. */
  public PromptLog prompts() {
    return prompts;
  }

  /** Whether the file's hash is known, so that describing does not wait for it. */
  public boolean ready() {
    return hashes.isDone();
  }

  /** Puts all of it into the tracer's summary, with the time since this was made. */
  public void describe(ModelTracer tracer) {
    tracer.describe(SummaryField.TOOL, tool());
    tracer.describe(SummaryField.RUNTIME, runtime());
    tracer.describe(SummaryField.MODEL, model());
    tracer.describe(SummaryField.CONFIG, config());
    tracer.describe(SummaryField.PROMPT, prompts.prompts());
    tracer.describe(SummaryField.TIMING, timing());
  }

  /** This program. */
  public static Map<String, Object> tool() {
    var tool = new LinkedHashMap<String, Object>();
    tool.put("name", "modeltracer");
    tool.put("version", version());
    return tool;
  }

  private Map<String, Object> runtime() {
    LlamaRuntime llama = model.runtime();
    var runtime = new LinkedHashMap<String, Object>();
    runtime.put("version", llama.version());
    runtime.put("generation", llama.generation());
    runtime.put("origin", llama.origin());
    runtime.put("system_info", llama.systemInfo());
    runtime.put("backends", backends(llama));
    runtime.put("flash_attention", session.usesFlashAttention());
    runtime.put("attention_rows", attentionRows());
    runtime.put("threads", options.context().threads());
    return runtime;
  }

  private String attentionRows() {
    if (session.sites().stream().noneMatch(site -> site.place().site() == Site.ATTENTION)) {
      return "none: no layer attends by softmax";
    }
    String way =
        session.usesFlashAttention() ? "recomputed from the fused operation" : "read from softmax";
    long unknown = session.cost().droppedKeys();
    return unknown == 0
        ? way
        : way + "; left out where keys stand for more than one token, %d keys".formatted(unknown);
  }

  private List<String> backends(LlamaRuntime llama) {
    var backends = new ArrayList<String>();
    llama.devices(model.options().placement()).forEach(device -> backends.add(device.name()));
    model.options().placement().rpcServers().forEach(server -> backends.add("RPC[" + server + "]"));
    return backends;
  }

  private Map<String, Object> model() {
    var info = new LinkedHashMap<String, Object>();
    info.put("file", file.path().getFileName().toString());
    info.put("sha256", Hashes.model(hashes.join()));
    if (file.shards().size() > 1) {
      info.put("shards", hashes.join());
    }
    info.put("bytes", file.size());
    List<ModelOptions.Adapter> adapters = model.options().adapters();
    if (!adapters.isEmpty()) {
      info.put("adapters", adapters.stream().map(RunDescription::adapter).toList());
    }
    info.put("architecture", file.architecture().map(CutText::of).orElse(null));
    info.put("name", file.metadata().string("general.name").map(CutText::of).orElse(null));
    info.put("quantization", Quantization.of(file));
    info.put("parameters", model.parameters());
    info.put("layers", model.layers());
    if (!session.encoderLayers().isEmpty()) {
      info.put("encoder_layers", session.encoderLayers());
    }
    info.put("heads", model.heads());
    info.put("kv_heads", model.kvHeads());
    info.put("width", model.width());
    info.put("vocabulary", model.vocabulary().size());
    info.put("trained_context", model.trainedContext());
    return info;
  }

  private static Map<String, Object> adapter(ModelOptions.Adapter adapter) {
    Map<String, Object> info = new LinkedHashMap<>();
    info.put("file", String.valueOf(adapter.file().getFileName()));
    info.put("scale", adapter.scale());
    return info;
  }

  private Map<String, @Nullable Object> config() {
    ContextOptions context = options.context();
    Map<String, @Nullable Object> config = new LinkedHashMap<>();
    config.put("context", session.context().contextTokens());
    config.put("batch", context.size().batch());
    config.put("micro_batch", context.size().microBatch());
    config.put("flash_attention", context.flashAttention().name().toLowerCase(Locale.ROOT));
    config.put("cache_type_k", context.cache().keys().id());
    config.put("cache_type_v", context.cache().values().id());
    config.put("context_shift", options.cache().shift());
    config.put("keep", options.cache().keep());
    config.put("cache_reuse", options.cache().reuseChunk());
    config.putAll(options.sampler().toJson());
    return config;
  }

  private Map<String, Object> timing() {
    var timing = new LinkedHashMap<String, Object>();
    timing.put("total_seconds", (System.nanoTime() - begin) / 1e9);
    prompts.timing(timing);
    return timing;
  }
}
