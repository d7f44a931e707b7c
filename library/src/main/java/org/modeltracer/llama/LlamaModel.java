package org.modeltracer.llama;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.modeltracer.gguf.GgufException;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.LoadChecks;
import org.modeltracer.kernels.Kernels;
import org.modeltracer.llama.ffi.LlamaFunctions;
import org.modeltracer.llama.ffi.NativeLibrary;
import org.modeltracer.llama.ffi.Upcalls;
import org.modeltracer.process.Trail;

/** A loaded model: weights and vocabulary, shared by the contexts made from it. */
public final class LlamaModel implements AutoCloseable {
  private static final AtomicLong NEXT = new AtomicLong();

  private final LlamaRuntime runtime;
  private final Path file;
  private final ModelOptions options;
  private final List<RpcEndpoint> servers;
  private final Vocabulary vocabulary;
  private final int layers;
  private final int heads;
  private final int kvHeads;
  private final int width;
  private final int trainedContext;
  private final long parameters;
  private final long bytes;
  private final int decoderStart;
  private final boolean hasEncoder;
  private final boolean hasDecoder;
  private final boolean recurrent;
  private final List<NativeWarning> warnings;
  private final Adapters adapters;
  private final Set<LlamaContext> contexts = new HashSet<>();
  private final long id = NEXT.incrementAndGet();
  private long address;

  LlamaModel(LlamaRuntime runtime, Path named, ModelOptions options) {
    this.runtime = runtime;
    this.options = options;
    servers = RpcEndpoint.parse(options.placement().rpcServers());
    var event = new ModelLoadEvent();
    event.begin();
    if (!Files.isReadable(named)) {
      throw new LlamaException(
          LlamaException.Kind.MODEL, named + ": no such file, or no permission to read it");
    }
    GgufFile header = header(named);
    // llama.cpp finds the shards of a split model when given the first.
    file = header == null ? named : header.path();
    runtime.log().clear();
    var progress = new Progress(options);
    Trail.own().step("loading", file);
    address = load(options, viewsItsWeights(header), progress);
    progress.rethrow();
    if (address == 0 && progress.cancelled) {
      throw new LlamaException(LlamaException.Kind.CANCELLED, file + ": loading was cancelled");
    }
    if (address == 0) {
      throw new LlamaException(
          LlamaException.Kind.MODEL,
          file + ": " + runtime.log().firstError("llama.cpp cannot load this model"));
    }
    warnings = runtime.log().warnings();
    try {
      adapters = new Adapters(runtime, address, options.adapters());
    } catch (RuntimeException | Error e) {
      runtime.functions().freeModel(address);
      throw e;
    }
    runtime.rpc().opened(servers);
    // Read once: when llama.cpp ends the process, a summary is written without asking it again.
    LlamaFunctions llama = runtime.functions();
    layers = llama.layers(address);
    // Older releases end the process over the heads of a model without layers, as one is that has
    // only its vocabulary loaded.
    heads = layers == 0 ? 0 : llama.heads(address);
    kvHeads = layers == 0 ? 0 : llama.kvHeads(address);
    width = llama.width(address);
    trainedContext = llama.trainedContext(address);
    parameters = llama.parameters(address);
    Kernels.expect(parameters);
    bytes = llama.modelBytes(address);
    decoderStart = llama.decoderStart(address);
    hasEncoder = llama.hasEncoder(address);
    hasDecoder = llama.hasDecoder(address);
    recurrent = llama.isRecurrent(address);
    vocabulary = new Vocabulary(runtime, llama.vocabulary(address));
    event.commit(this);
  }

  private long load(ModelOptions options, boolean plainWeights, Progress progress) {
    LlamaFunctions llama = runtime.functions();
    try (Arena arena = Arena.ofConfined()) {
      var params = new Params(arena, runtime.layouts().model(), llama::modelDefaults);
      params
          .set("vocab_only", options.vocabularyOnly())
          .set("check_tensors", options.checkTensors());
      ModelOptions.Placement placement = options.placement();
      if (placement.gpuLayers() >= 0) {
        params.set("n_gpu_layers", placement.gpuLayers());
      }
      if (params.has("use_extra_bufts")) {
        params.set("use_extra_bufts", placement.extraBuffers() && !plainWeights);
      }
      if (!options.memoryMapped()) {
        readWhole(params);
      }
      if (!servers.isEmpty() || !placement.devices().isEmpty()) {
        params.set("devices", devices(arena));
      }
      // Always set: without a callback b4916 prints dots to stderr.
      params.set("progress_callback", progress.stub(arena));
      return llama.load(file.toString(), params.memory());
    }
  }

  /**
   * Where layers may go, ended by a null: servers first, as llama.cpp has it, then this machine.
   */
  private long devices(Arena arena) {
    var chosen = new ArrayList<Long>(runtime.rpc().devices(servers));
    chosen.addAll(runtime.deviceList().offloading(options.placement()));
    MemorySegment array = arena.allocate(ValueLayout.JAVA_LONG, chosen.size() + 1L);
    for (int i = 0; i < chosen.size(); i++) {
      array.setAtIndex(ValueLayout.JAVA_LONG, i, chosen.get(i));
    }
    return array.address();
  }

  /** Has weights read into memory; a mode took the place of a flag in later releases. */
  private static void readWhole(Params params) {
    if (params.has("load_mode")) {
      params.set("load_mode", 0);
    } else {
      params.set("use_mmap", false);
    }
  }

  /**
   * The file's header, or null when it is malformed; then llama.cpp, which refuses such files, says
   * what is wrong in its own words.
   *
   * @throws GgufException for a header that llama.cpp would end the process over
   */
  private static @Nullable GgufFile header(Path file) {
    GgufFile header;
    try {
      header = GgufFile.read(file);
    } catch (GgufException e) {
      return null;
    }
    LoadChecks.require(header);
    return header;
  }

  /**
   * Whether the model multiplies by slices of a weight, head by head, as latent attention does.
   *
   * <p>ggml ends the process over a slice of a weight that it has repacked for AMX.
   */
  private static boolean viewsItsWeights(@Nullable GgufFile header) {
    return header != null
        && header.tensors().stream().anyMatch(tensor -> tensor.name().endsWith(".attn_k_b.weight"));
  }

  /** Carries progress from llama.cpp to the listener, and nothing thrown the other way. */
  private static final class Progress {
    private final ModelOptions options;
    private @Nullable Throwable failure;
    private boolean cancelled;

    Progress(ModelOptions options) {
      this.options = options;
    }

    long stub(Arena arena) {
      return Upcalls.progress(this::loaded, arena);
    }

    private boolean loaded(float share, long userData) {
      try {
        cancelled = options.progress() != null && !options.progress().test(share);
        return !cancelled;
      } catch (Throwable thrown) {
        failure = thrown;
        return false;
      }
    }

    void rethrow() {
      if (failure != null) {
        throw NativeLibrary.unexpected(failure);
      }
    }
  }

  /**
   * Sets the model up for work.
   *
   * @throws LlamaException when the options do not suit the model or memory is short
   */
  public LlamaContext context(ContextOptions options) {
    return context(options, null);
  }

  /**
   * Sets the model up for work, with a callback in C in place of a hook.
   *
   * @param silent null for none
   */
  public LlamaContext context(ContextOptions options, @Nullable SilentCallback silent) {
    return runtime.call(
        () -> {
          address();
          var context = new LlamaContext(this, options, silent);
          contexts.add(context);
          return context;
        });
  }

  void closed(LlamaContext context) {
    contexts.remove(context);
  }

  /** Number of this model among all that this process has loaded, from 1. */
  public long id() {
    return id;
  }

  /** The runtime that loaded this model. */
  public LlamaRuntime runtime() {
    return runtime;
  }

  /** File the model was loaded from; of a split model, its first shard. */
  public Path file() {
    return file;
  }

  /** How the model was loaded. */
  public ModelOptions options() {
    return options;
  }

  /** What llama.cpp warned of while it loaded the file. */
  public List<NativeWarning> warnings() {
    return warnings;
  }

  /** The adapters that every context adds to the weights. */
  Adapters adapters() {
    return adapters;
  }

  /** The file's chat template, if it has one. */
  public Optional<String> chatTemplate() {
    return runtime.call(() -> Optional.ofNullable(runtime.functions().chatTemplate(address())));
  }

  /** The model's tokens. */
  public Vocabulary vocabulary() {
    return vocabulary;
  }

  /** Number of layers. */
  public int layers() {
    return layers;
  }

  /** Query heads, of the first layer where layers differ. */
  public int heads() {
    return heads;
  }

  /** Key/value heads, of the first layer where layers differ. */
  public int kvHeads() {
    return kvHeads;
  }

  /** Width of the residual stream. */
  public int width() {
    return width;
  }

  /** Tokens of context the model was trained on. */
  public int trainedContext() {
    return trainedContext;
  }

  /** Number of parameters. */
  public long parameters() {
    return parameters;
  }

  /** Bytes of all tensors. */
  public long bytes() {
    return bytes;
  }

  /** Whether the model has an encoder that must run before its decoder. */
  public boolean hasEncoder() {
    return hasEncoder;
  }

  /** Whether the model has a decoder. */
  public boolean hasDecoder() {
    return hasDecoder;
  }

  /** Whether the model's memory is a recurrent state, wholly or in part. */
  public boolean isRecurrent() {
    return recurrent;
  }

  /** First token of an encoder-decoder model's decoder, -1 when it has none. */
  public int decoderStart() {
    return decoderStart;
  }

  long address() {
    if (address == 0) {
      throw new IllegalStateException("this model is closed");
    }
    return address;
  }

  /**
   * Frees the model, and first the contexts that are still open on it; does nothing the second
   * time.
   *
   * @throws IllegalStateException when called from a callback of a pass or of a session at work
   */
  @Override
  public void close() {
    runtime.run(
        () -> {
          contexts.forEach(LlamaContext::requireFree);
          if (address != 0) {
            Set.copyOf(contexts).forEach(LlamaContext::close);
            free();
          }
        });
  }

  private void free() {
    runtime.functions().freeModel(address);
    address = 0;
    runtime.rpc().closed(servers);
    vocabulary.close();
  }
}
