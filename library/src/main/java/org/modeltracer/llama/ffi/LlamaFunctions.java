package org.modeltracer.llama.ffi;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;

/**
 * The functions of {@code llama.h} that are called here. Pointers are addresses, 0 for null.
 *
 * <p>A function that a release lacks throws when it is called, naming the library.
 */
public final class LlamaFunctions extends Functions {
  /** Those of a library. */
  public LlamaFunctions(NativeLibrary library) {
    super(library);
  }

  private final CFunction backendInit = function("llama_backend_init", ":v");

  /** Starts llama.cpp. */
  public void backendInit() {
    backendInit.run();
  }

  private final CFunction version = function("llama_version", ":p");

  /** Version, empty where the library cannot tell. */
  public String version() {
    return version.exists() ? NativeMemory.text(version.toLong()) : "";
  }

  private final CFunction systemInfo = function("llama_print_system_info", ":p");

  /** Instruction sets and backends in words. */
  public String systemInfo() {
    return NativeMemory.text(systemInfo.toLong());
  }

  private final CFunction logSet = function("llama_log_set", "pp:v");

  /** Sets where the log goes. */
  public void logTo(long callback) {
    logSet.run(callback, 0L);
  }

  private final CFunction modelDefaults = function("llama_model_default_params", ":P");

  /**
   * Writes default {@code llama_model_params} into memory of {@link NativeLibrary#PARAMS_BYTES}.
   */
  public void modelDefaults(MemorySegment params) {
    modelDefaults.into(params);
  }

  private final CFunction contextDefaults = function("llama_context_default_params", ":P");

  /** Writes default {@code llama_context_params}, as {@link #modelDefaults} does. */
  public void contextDefaults(MemorySegment params) {
    contextDefaults.into(params);
  }

  private final CFunction load = function("llama_model_load_from_file", "pP:p");

  /** Loads a model from a path, 0 when that fails. */
  public long load(String path, MemorySegment params) {
    try (var arena = Arena.ofConfined()) {
      return load.toLong(arena.allocateFrom(path).address(), params);
    }
  }

  private final CFunction freeModel = function("llama_model_free", "p:v");

  /** Frees a model. */
  public void freeModel(long model) {
    freeModel.run(model);
  }

  private final CFunction layers = getter("llama_model_n_layer", "p:i");

  /** Number of layers. */
  public int layers(long model) {
    return layers.toInt(model);
  }

  private final CFunction heads = function("llama_model_n_head", "p:i");

  /** Number of query heads of the first layer. */
  public int heads(long model) {
    return heads.toInt(model);
  }

  private final CFunction kvHeads = function("llama_model_n_head_kv", "p:i");

  /** Number of key and value heads of the first layer. */
  public int kvHeads(long model) {
    return kvHeads.toInt(model);
  }

  private final CFunction width = getter("llama_model_n_embd", "p:i");

  /** Width of the residual stream. */
  public int width(long model) {
    return width.toInt(model);
  }

  private final CFunction trainedContext = getter("llama_model_n_ctx_train", "p:i");

  /** Tokens of context that a model was trained on. */
  public int trainedContext(long model) {
    return trainedContext.toInt(model);
  }

  private final CFunction parameters = function("llama_model_n_params", "p:l");

  /** Number of parameters. */
  public long parameters(long model) {
    return parameters.toLong(model);
  }

  private final CFunction modelBytes = function("llama_model_size", "p:l");

  /** Bytes of all tensors. */
  public long modelBytes(long model) {
    return modelBytes.toLong(model);
  }

  private final CFunction decoderStart = getter("llama_model_decoder_start_token", "p:i");

  /** First token of a decoder behind an encoder, -1 for none. */
  public int decoderStart(long model) {
    return decoderStart.toInt(model);
  }

  private final CFunction hasEncoder = getter("llama_model_has_encoder", "p:b");

  /** Whether a model has an encoder that runs before its decoder. */
  public boolean hasEncoder(long model) {
    return hasEncoder.toBoolean(model);
  }

  private final CFunction hasDecoder = getter("llama_model_has_decoder", "p:b");

  /** Whether a model has a decoder. */
  public boolean hasDecoder(long model) {
    return hasDecoder.toBoolean(model);
  }

  private final CFunction recurrent = getter("llama_model_is_recurrent", "p:b");

  private final CFunction hybrid = getter("llama_model_is_hybrid", "p:b");

  /** Whether a model's memory is a recurrent state, wholly or in part. */
  public boolean isRecurrent(long model) {
    return hybrid.exists() && hybrid.toBoolean(model) || recurrent.toBoolean(model);
  }

  private final CFunction vocabulary = getter("llama_model_get_vocab", "p:p");

  /** A model's vocabulary. */
  public long vocabulary(long model) {
    return vocabulary.toLong(model);
  }

  private final CFunction template = function("llama_model_chat_template", "pp:p");

  /** A model's chat template, null where it has none. */
  public @Nullable String chatTemplate(long model) {
    long text = template.toLong(model, 0L);
    return text == 0 ? null : NativeMemory.text(text);
  }

  private final CFunction applyTemplate = function("llama_chat_apply_template", "pplbpi:i");

  /**
   * Writes a chat, {@code llama_chat_message} after message, in the form of a template that
   * llama.cpp recognises; returns how many bytes there are, or a negative number where it does not.
   */
  public int applyTemplate(
      String template, MemorySegment chat, int messages, boolean answer, MemorySegment target) {
    try (var arena = Arena.ofConfined()) {
      return applyTemplate.toInt(
          arena.allocateFrom(template).address(),
          chat.address(),
          (long) messages,
          answer,
          target.address(),
          (int) target.byteSize());
    }
  }

  private final CFunction adapter = function("llama_adapter_lora_init", "pp:p");

  /** Loads a LoRA adapter for a model, which then owns it; 0 when that fails. */
  public long adapter(long model, String path) {
    try (var arena = Arena.ofConfined()) {
      return adapter.toLong(model, arena.allocateFrom(path).address());
    }
  }

  // Recent releases take all adapters at once; older ones take one after the other.
  private final CFunction setAdapters = function("llama_set_adapters_lora", "pplp:i");
  private final CFunction setAdapter = function("llama_set_adapter_lora", "ppf:i");

  /** Has a context add adapters to its weights, each times its scale; 0 is success. */
  public int adapt(long context, long[] adapters, float[] scales) {
    if (setAdapters.exists()) {
      try (var arena = Arena.ofConfined()) {
        return setAdapters.toInt(
            context,
            arena.allocateFrom(ValueLayout.JAVA_LONG, adapters).address(),
            (long) adapters.length,
            arena.allocateFrom(ValueLayout.JAVA_FLOAT, scales).address());
      }
    }
    int status = 0;
    for (int i = 0; i < adapters.length && status == 0; i++) {
      status = setAdapter.toInt(context, adapters[i], scales[i]);
    }
    return status;
  }

  private final CFunction init = function("llama_init_from_model", "pP:p");

  /** Makes a context, 0 when that fails. */
  public long init(long model, MemorySegment params) {
    return init.toLong(model, params);
  }

  private final CFunction free = function("llama_free", "p:v");

  /** Frees a context. */
  public void free(long context) {
    free.run(context);
  }

  private final CFunction decode = function("llama_decode", "pB:i");

  /** Runs a batch through the decoder; 0 is success. */
  public int decode(long context, MemorySegment batch) {
    return decode.toInt(context, batch);
  }

  private final CFunction encode = function("llama_encode", "pB:i");

  /** Runs a batch through the encoder; 0 is success. */
  public int encode(long context, MemorySegment batch) {
    return encode.toInt(context, batch);
  }

  private final CFunction logits = function("llama_get_logits_ith", "pi:p");

  /** Logits of the batch's i-th token, 0 when none were asked for. */
  public long logits(long context, int i) {
    return logits.toLong(context, i);
  }

  private final CFunction contextTokens = getter("llama_n_ctx", "p:i");

  /** Tokens of context. */
  public int contextTokens(long context) {
    return contextTokens.toInt(context);
  }

  private final CFunction sequenceTokens = getter("llama_n_ctx_seq", "p:i");

  /** Tokens of context for each sequence. */
  public int sequenceTokens(long context) {
    return sequenceTokens.exists() ? sequenceTokens.toInt(context) : contextTokens(context);
  }

  private final CFunction batchTokens = getter("llama_n_batch", "p:i");

  /** Most tokens of a batch. */
  public int batchTokens(long context) {
    return batchTokens.toInt(context);
  }

  private final CFunction microBatchTokens = getter("llama_n_ubatch", "p:i");

  /** Most tokens of a graph. */
  public int microBatchTokens(long context) {
    return microBatchTokens.toInt(context);
  }

  private final CFunction setAbort = function("llama_set_abort_callback", "ppp:v");

  /** Sets what is polled between nodes. */
  public void pollWith(long context, long callback) {
    setAbort.run(context, callback, 0L);
  }

  private final CFunction attachThreads = function("llama_attach_threadpool", "ppp:v");

  /** Has a context compute on a pool of threads. */
  public void attachThreads(long context, long pool) {
    attachThreads.run(context, pool, pool);
  }

  // Recent releases have a memory object; older ones take the context itself.
  private final CFunction getMemory = getter("llama_get_memory", "p:p");
  private final boolean memory = getMemory.exists();
  private final String cache = memory ? "llama_memory_" : "llama_kv_self_";

  /** Whether this release has a memory object apart from the context. */
  public boolean hasMemoryObject() {
    return memory;
  }

  /** What a context remembers with, 0 for nothing: its memory, or in old releases itself. */
  public long memoryOf(long context) {
    return memory ? getMemory.toLong(context) : context;
  }

  private final CFunction clear = function(cache + "clear", memory ? "pb:v" : "p:v");

  /** Forgets everything. */
  public void clear(long cache) {
    clear(cache, true);
  }

  /** Forgets everything; the values themselves stay where they are unless they are to go too. */
  public void clear(long cache, boolean data) {
    if (memory) {
      clear.run(cache, data);
    } else {
      clear.run(cache);
    }
  }

  private final CFunction keep = function(cache + "seq_keep", "pi:v");

  /** Forgets all sequences but one. */
  public void keep(long cache, int sequence) {
    keep.run(cache, sequence);
  }

  /** What the names of functions on a cache begin with. */
  public String cachePrefix() {
    return cache;
  }

  private final CFunction remove = function(cache + "seq_rm", "piii:b");

  /** Forgets positions {@code from <= p < to}; false when that is not possible. */
  public boolean remove(long cache, int sequence, int from, int to) {
    return remove.toBoolean(cache, sequence, from, to);
  }

  private final CFunction copy = function(cache + "seq_cp", "piiii:v");

  /** Makes positions of one sequence part of another too. */
  public void copy(long cache, int source, int target, int from, int to) {
    copy.run(cache, source, target, from, to);
  }

  private final CFunction shift = function(cache + "seq_add", "piiii:v");

  /** Moves positions. */
  public void shift(long cache, int sequence, int from, int to, int delta) {
    shift.run(cache, sequence, from, to, delta);
  }

  private final CFunction lastPosition = function(cache + "seq_pos_max", "pi:i");

  /** Highest position of a sequence. */
  public int lastPosition(long cache, int sequence) {
    return lastPosition.toInt(cache, sequence);
  }

  private final CFunction canShift = function(cache + "can_shift", "p:b");

  /** Whether positions can be moved. */
  public boolean canShift(long cache) {
    return canShift.toBoolean(cache);
  }

  private final CFunction stateBytes = function("llama_state_seq_get_size", "pi:l");

  /** Bytes that the state of a sequence would take. */
  public long stateBytes(long context, int sequence) {
    return stateBytes.toLong(context, sequence);
  }

  private final CFunction tokenize = function("llama_tokenize", "ppipibb:i");

  /** Writes ids; returns how many, or minus how many there is no room for. */
  public int tokenize(
      long vocabulary,
      MemorySegment text,
      int bytes,
      MemorySegment ids,
      int room,
      boolean addSpecial,
      boolean parseSpecial) {
    return tokenize.toInt(
        vocabulary, text.address(), bytes, ids.address(), room, addSpecial, parseSpecial);
  }

  private final CFunction piece = function("llama_token_to_piece", "pipiib:i");

  /** Writes the bytes of a token; returns how many, or minus how many there is no room for. */
  public int piece(long vocabulary, int token, MemorySegment text, int room, boolean special) {
    return piece.toInt(vocabulary, token, text.address(), room, 0, special);
  }

  private final CFunction entry = getter("llama_vocab_get_text", "pi:p");

  /** The vocabulary's own entry for a token. */
  public String entry(long vocabulary, int token) {
    return NativeMemory.text(entry.toLong(vocabulary, token));
  }

  private final CFunction vocabularySize = getter("llama_vocab_n_tokens", "p:i");

  /** Number of tokens. */
  public int vocabularySize(long vocabulary) {
    return vocabularySize.toInt(vocabulary);
  }

  private final CFunction vocabularyType = getter("llama_vocab_type", "p:i");

  /** Kind of tokenizer, 0 for none. */
  public int vocabularyType(long vocabulary) {
    return vocabularyType.toInt(vocabulary);
  }

  private final CFunction bos = getter("llama_vocab_bos", "p:i");

  /** Token that begins a text. */
  public int bos(long vocabulary) {
    return bos.toInt(vocabulary);
  }

  private final CFunction eos = getter("llama_vocab_eos", "p:i");

  /** Token that ends a text. */
  public int eos(long vocabulary) {
    return eos.toInt(vocabulary);
  }

  private final CFunction addsBos = getter("llama_vocab_get_add_bos", "p:b");

  /** Whether texts begin with {@link #bos}. */
  public boolean addsBos(long vocabulary) {
    return addsBos.toBoolean(vocabulary);
  }

  private final CFunction endsGeneration = getter("llama_vocab_is_eog", "pi:b");

  /** Whether a token ends generation. */
  public boolean endsGeneration(long vocabulary, int token) {
    return endsGeneration.toBoolean(vocabulary, token);
  }

  private final CFunction control = getter("llama_vocab_is_control", "pi:b");

  /** Whether a token steers the model. */
  public boolean isControl(long vocabulary, int token) {
    return control.toBoolean(vocabulary, token);
  }

  // Its parameter struct is a single bool, which travels in a register like an int.
  private final CFunction chain = function("llama_sampler_chain_init", "i:p");

  /** An empty chain of samplers that keeps no timings. */
  public long samplerChain() {
    return chain.toLong(1);
  }

  private final CFunction chainAdd = function("llama_sampler_chain_add", "pp:v");

  /** Adds a sampler to a chain, which then owns it. */
  public void addSampler(long samplers, long sampler) {
    chainAdd.run(samplers, sampler);
  }

  private final CFunction greedy = function("llama_sampler_init_greedy", ":p");

  /** A sampler that takes the most probable token. */
  public long greedySampler() {
    return greedy.toLong();
  }

  private final CFunction topK = function("llama_sampler_init_top_k", "i:p");

  /** A sampler that keeps the k most probable tokens. */
  public long topKSampler(int k) {
    return topK.toLong(k);
  }

  private final CFunction minP = function("llama_sampler_init_min_p", "fl:p");

  /** A sampler that keeps tokens of at least a share of the largest probability, at least one. */
  public long minPSampler(float share) {
    return minP.toLong(share, 1L);
  }

  private final CFunction samplerName = function("llama_sampler_name", "p:p");

  // Recent releases want the size of the vocabulary first.
  private final CFunction penalties = function("llama_sampler_init_penalties", "ifff:p");
  private final CFunction sizedPenalties = function("llama_sampler_init_penalties", "iifff:p");

  /** A sampler that makes tokens among the last accepted ones less probable. */
  public long penaltySampler(
      int vocabulary, int last, float repeat, float frequency, float presence) {
    return takesVocabulary()
        ? sizedPenalties.toLong(vocabulary, last, repeat, frequency, presence)
        : penalties.toLong(last, repeat, frequency, presence);
  }

  /**
   * Whether the second whole number is how many tokens are looked back at. Nothing in a library
   * tells its signatures; but those that take one give a sampler of no effect, marked in its name,
   * for a second number of 0, which the others do not see.
   */
  private boolean takesVocabulary() {
    long sampler = sizedPenalties.toLong(1, 0, 2f, 0f, 0f);
    String name = NativeMemory.text(samplerName.toLong(sampler));
    freeSampler(sampler);
    return name.startsWith("?");
  }

  private final CFunction grammar = function("llama_sampler_init_grammar", "ppp:p");

  /** A sampler that excludes what a grammar does not allow next, 0 when llama.cpp refuses it. */
  public long grammarSampler(long vocabulary, String rules, String root) {
    try (var arena = Arena.ofConfined()) {
      return grammar.toLong(
          vocabulary, arena.allocateFrom(rules).address(), arena.allocateFrom(root).address());
    }
  }

  private final CFunction topP = function("llama_sampler_init_top_p", "fl:p");

  /** A sampler that keeps the most probable tokens up to a mass, at least one. */
  public long topPSampler(float mass) {
    return topP.toLong(mass, 1L);
  }

  private final CFunction temperature = function("llama_sampler_init_temp", "f:p");

  /** A sampler that divides logits by a temperature. */
  public long temperatureSampler(float degrees) {
    return temperature.toLong(degrees);
  }

  private final CFunction distribution = function("llama_sampler_init_dist", "i:p");

  /** A sampler that draws with a seed. */
  public long seededSampler(int seed) {
    return distribution.toLong(seed);
  }

  private final CFunction sample = function("llama_sampler_sample", "ppi:i");

  /** Chooses from the logits of the batch's i-th token. */
  public int sample(long samplers, long context, int i) {
    return sample.toInt(samplers, context, i);
  }

  private final CFunction apply = function("llama_sampler_apply", "pp:v");

  /** Has a sampler change candidates: a {@code llama_token_data_array}. */
  public void applySampler(long sampler, MemorySegment candidates) {
    apply.run(sampler, candidates.address());
  }

  private final CFunction accept = function("llama_sampler_accept", "pi:v");

  /** Tells a sampler that a token was chosen. */
  public void acceptToken(long sampler, int token) {
    accept.run(sampler, token);
  }

  private final CFunction resetSampler = function("llama_sampler_reset", "p:v");

  /** Has a sampler forget what it was told. */
  public void resetSampler(long sampler) {
    resetSampler.run(sampler);
  }

  private final CFunction freeSampler = function("llama_sampler_free", "p:v");

  /** Frees a sampler, or a chain and all in it. */
  public void freeSampler(long sampler) {
    freeSampler.run(sampler);
  }
}
