package org.modeltracer.llama.ffi;

import java.lang.foreign.MemorySegment;

/**
 * The functions of {@code llama.h} that are called here. Pointers are addresses, 0 for null.
 *
 * <p>A function that a release lacks throws when it is called, naming the library.
 */
public final class LlamaFunctions {
  private final boolean memory;
  private final CFunction backendInit;
  private final CFunction version;
  private final CFunction systemInfo;
  private final CFunction logSet;
  private final CFunction modelDefaults;
  private final CFunction contextDefaults;
  private final CFunction load;
  private final CFunction freeModel;
  private final CFunction layers;
  private final CFunction heads;
  private final CFunction kvHeads;
  private final CFunction width;
  private final CFunction trainedContext;
  private final CFunction parameters;
  private final CFunction modelBytes;
  private final CFunction decoderStart;
  private final CFunction hasEncoder;
  private final CFunction hasDecoder;
  private final CFunction recurrent;
  private final CFunction hybrid;
  private final CFunction description;
  private final CFunction vocabulary;
  private final CFunction init;
  private final CFunction free;
  private final CFunction decode;
  private final CFunction encode;
  private final CFunction logits;
  private final CFunction contextTokens;
  private final CFunction sequenceTokens;
  private final CFunction batchTokens;
  private final CFunction microBatchTokens;
  private final CFunction setAbort;
  private final CFunction attachThreads;
  private final CFunction getMemory;
  private final CFunction clear;
  private final CFunction remove;
  private final CFunction copy;
  private final CFunction keep;
  private final CFunction shift;
  private final CFunction lastPosition;
  private final CFunction canShift;
  private final CFunction stateBytes;
  private final CFunction tokenize;
  private final CFunction piece;
  private final CFunction entry;
  private final CFunction vocabularySize;
  private final CFunction vocabularyType;
  private final CFunction bos;
  private final CFunction eos;
  private final CFunction addsBos;
  private final CFunction endsGeneration;
  private final CFunction control;
  private final CFunction chain;
  private final CFunction chainAdd;
  private final CFunction greedy;
  private final CFunction topK;
  private final CFunction topP;
  private final CFunction temperature;
  private final CFunction distribution;
  private final CFunction sample;
  private final CFunction freeSampler;

  /** Those of a library. */
  public LlamaFunctions(NativeLibrary library) {
    backendInit = CFunction.of(library, "llama_backend_init", ":v");
    version = CFunction.of(library, "llama_version", ":p");
    systemInfo = CFunction.of(library, "llama_print_system_info", ":p");
    logSet = CFunction.of(library, "llama_log_set", "pp:v");
    modelDefaults = CFunction.of(library, "llama_model_default_params", ":P");
    contextDefaults = CFunction.of(library, "llama_context_default_params", ":P");
    load = CFunction.of(library, "llama_model_load_from_file", "pP:p");
    freeModel = CFunction.of(library, "llama_model_free", "p:v");
    layers = CFunction.getter(library, "llama_model_n_layer", "p:i");
    heads = CFunction.of(library, "llama_model_n_head", "p:i");
    kvHeads = CFunction.of(library, "llama_model_n_head_kv", "p:i");
    width = CFunction.getter(library, "llama_model_n_embd", "p:i");
    trainedContext = CFunction.getter(library, "llama_model_n_ctx_train", "p:i");
    parameters = CFunction.of(library, "llama_model_n_params", "p:l");
    modelBytes = CFunction.of(library, "llama_model_size", "p:l");
    decoderStart = CFunction.getter(library, "llama_model_decoder_start_token", "p:i");
    hasEncoder = CFunction.getter(library, "llama_model_has_encoder", "p:b");
    hasDecoder = CFunction.getter(library, "llama_model_has_decoder", "p:b");
    recurrent = CFunction.getter(library, "llama_model_is_recurrent", "p:b");
    hybrid = CFunction.getter(library, "llama_model_is_hybrid", "p:b");
    description = CFunction.of(library, "llama_model_desc", "ppl:i");
    vocabulary = CFunction.getter(library, "llama_model_get_vocab", "p:p");
    init = CFunction.of(library, "llama_init_from_model", "pP:p");
    free = CFunction.of(library, "llama_free", "p:v");
    decode = CFunction.of(library, "llama_decode", "pB:i");
    encode = CFunction.of(library, "llama_encode", "pB:i");
    logits = CFunction.of(library, "llama_get_logits_ith", "pi:p");
    contextTokens = CFunction.getter(library, "llama_n_ctx", "p:i");
    sequenceTokens = CFunction.getter(library, "llama_n_ctx_seq", "p:i");
    batchTokens = CFunction.getter(library, "llama_n_batch", "p:i");
    microBatchTokens = CFunction.getter(library, "llama_n_ubatch", "p:i");
    setAbort = CFunction.of(library, "llama_set_abort_callback", "ppp:v");
    attachThreads = CFunction.of(library, "llama_attach_threadpool", "ppp:v");
    // Recent releases have a memory object; older ones take the context itself.
    getMemory = CFunction.getter(library, "llama_get_memory", "p:p");
    memory = getMemory.exists();
    String cache = memory ? "llama_memory_" : "llama_kv_self_";
    clear = CFunction.of(library, cache + "clear", memory ? "pb:v" : "p:v");
    remove = CFunction.of(library, cache + "seq_rm", "piii:b");
    copy = CFunction.of(library, cache + "seq_cp", "piiii:v");
    keep = CFunction.of(library, cache + "seq_keep", "pi:v");
    shift = CFunction.of(library, cache + "seq_add", "piiii:v");
    lastPosition = CFunction.of(library, cache + "seq_pos_max", "pi:i");
    canShift = CFunction.of(library, cache + "can_shift", "p:b");
    stateBytes = CFunction.of(library, "llama_state_seq_get_size", "pi:l");
    tokenize = CFunction.of(library, "llama_tokenize", "ppipibb:i");
    piece = CFunction.of(library, "llama_token_to_piece", "pipiib:i");
    entry = CFunction.getter(library, "llama_vocab_get_text", "pi:p");
    vocabularySize = CFunction.getter(library, "llama_vocab_n_tokens", "p:i");
    vocabularyType = CFunction.getter(library, "llama_vocab_type", "p:i");
    bos = CFunction.getter(library, "llama_vocab_bos", "p:i");
    eos = CFunction.getter(library, "llama_vocab_eos", "p:i");
    addsBos = CFunction.getter(library, "llama_vocab_get_add_bos", "p:b");
    endsGeneration = CFunction.getter(library, "llama_vocab_is_eog", "pi:b");
    control = CFunction.getter(library, "llama_vocab_is_control", "pi:b");
    // Its parameter struct is a single bool, which travels in a register like an int.
    chain = CFunction.of(library, "llama_sampler_chain_init", "i:p");
    chainAdd = CFunction.of(library, "llama_sampler_chain_add", "pp:v");
    greedy = CFunction.of(library, "llama_sampler_init_greedy", ":p");
    topK = CFunction.of(library, "llama_sampler_init_top_k", "i:p");
    topP = CFunction.of(library, "llama_sampler_init_top_p", "fl:p");
    temperature = CFunction.of(library, "llama_sampler_init_temp", "f:p");
    distribution = CFunction.of(library, "llama_sampler_init_dist", "i:p");
    sample = CFunction.of(library, "llama_sampler_sample", "ppi:i");
    freeSampler = CFunction.of(library, "llama_sampler_free", "p:v");
  }

  /** Starts llama.cpp. */
  public void backendInit() {
    backendInit.run();
  }

  /** Version, empty where the library cannot tell. */
  public String version() {
    return version.exists() ? NativeMemory.text(version.toLong()) : "";
  }

  /** Instruction sets and backends in words. */
  public String systemInfo() {
    return NativeMemory.text(systemInfo.toLong());
  }

  /** Sets where the log goes. */
  public void logTo(long callback) {
    logSet.run(callback, 0L);
  }

  /**
   * Writes default {@code llama_model_params} into memory of {@link NativeLibrary#PARAMS_BYTES}.
   */
  public void modelDefaults(MemorySegment params) {
    modelDefaults.into(params);
  }

  /** Writes default {@code llama_context_params}, as {@link #modelDefaults} does. */
  public void contextDefaults(MemorySegment params) {
    contextDefaults.into(params);
  }

  /** Loads a model from a path, 0 when that fails. */
  public long load(long path, MemorySegment params) {
    return load.toLong(path, params);
  }

  /** Frees a model. */
  public void freeModel(long model) {
    freeModel.run(model);
  }

  /** Number of layers. */
  public int layers(long model) {
    return layers.toInt(model);
  }

  /** Number of query heads of the first layer. */
  public int heads(long model) {
    return heads.toInt(model);
  }

  /** Number of key and value heads of the first layer. */
  public int kvHeads(long model) {
    return kvHeads.toInt(model);
  }

  /** Width of the residual stream. */
  public int width(long model) {
    return width.toInt(model);
  }

  /** Tokens of context that a model was trained on. */
  public int trainedContext(long model) {
    return trainedContext.toInt(model);
  }

  /** Number of parameters. */
  public long parameters(long model) {
    return parameters.toLong(model);
  }

  /** Bytes of all tensors. */
  public long modelBytes(long model) {
    return modelBytes.toLong(model);
  }

  /** First token of a decoder behind an encoder, -1 for none. */
  public int decoderStart(long model) {
    return decoderStart.toInt(model);
  }

  /** Whether a model has an encoder that runs before its decoder. */
  public boolean hasEncoder(long model) {
    return hasEncoder.toBoolean(model);
  }

  /** Whether a model has a decoder. */
  public boolean hasDecoder(long model) {
    return hasDecoder.toBoolean(model);
  }

  /** Whether a model's memory is a recurrent state, wholly or in part. */
  public boolean isRecurrent(long model) {
    return hybrid.exists() && hybrid.toBoolean(model) || recurrent.toBoolean(model);
  }

  /** Writes a short description into memory. */
  public void description(long model, MemorySegment text) {
    int ignored = description.toInt(model, text.address(), text.byteSize());
  }

  /** A model's vocabulary. */
  public long vocabulary(long model) {
    return vocabulary.toLong(model);
  }

  /** Makes a context, 0 when that fails. */
  public long init(long model, MemorySegment params) {
    return init.toLong(model, params);
  }

  /** Frees a context. */
  public void free(long context) {
    free.run(context);
  }

  /** Runs a batch through the decoder; 0 is success. */
  public int decode(long context, MemorySegment batch) {
    return decode.toInt(context, batch);
  }

  /** Runs a batch through the encoder; 0 is success. */
  public int encode(long context, MemorySegment batch) {
    return encode.toInt(context, batch);
  }

  /** Logits of the batch's i-th token, 0 when none were asked for. */
  public long logits(long context, int i) {
    return logits.toLong(context, i);
  }

  /** Tokens of context. */
  public int contextTokens(long context) {
    return contextTokens.toInt(context);
  }

  /** Tokens of context for each sequence. */
  public int sequenceTokens(long context) {
    return sequenceTokens.exists() ? sequenceTokens.toInt(context) : contextTokens(context);
  }

  /** Most tokens of a batch. */
  public int batchTokens(long context) {
    return batchTokens.toInt(context);
  }

  /** Most tokens of a graph. */
  public int microBatchTokens(long context) {
    return microBatchTokens.toInt(context);
  }

  /** Sets what is polled between nodes. */
  public void pollWith(long context, long callback) {
    setAbort.run(context, callback, 0L);
  }

  /** Has a context compute on a pool of threads. */
  public void attachThreads(long context, long pool) {
    attachThreads.run(context, pool, pool);
  }

  /** Whether this release has a memory object apart from the context. */
  public boolean hasMemoryObject() {
    return memory;
  }

  /** What a context remembers with, 0 for nothing: its memory, or in old releases itself. */
  public long memoryOf(long context) {
    return memory ? getMemory.toLong(context) : context;
  }

  /** Forgets everything. */
  public void clear(long cache) {
    if (memory) {
      clear.run(cache, true);
    } else {
      clear.run(cache);
    }
  }

  /** Forgets positions {@code from <= p < to}; false when that is not possible. */
  public boolean remove(long cache, int sequence, int from, int to) {
    return remove.toBoolean(cache, sequence, from, to);
  }

  /** Makes positions of one sequence part of another too. */
  public void copy(long cache, int source, int target, int from, int to) {
    copy.run(cache, source, target, from, to);
  }

  /** Forgets all sequences but one. */
  public void keep(long cache, int sequence) {
    keep.run(cache, sequence);
  }

  /** Moves positions. */
  public void shift(long cache, int sequence, int from, int to, int delta) {
    shift.run(cache, sequence, from, to, delta);
  }

  /** Highest position of a sequence. */
  public int lastPosition(long cache, int sequence) {
    return lastPosition.toInt(cache, sequence);
  }

  /** Whether positions can be moved. */
  public boolean canShift(long cache) {
    return canShift.toBoolean(cache);
  }

  /** Bytes that the state of a sequence would take. */
  public long stateBytes(long context, int sequence) {
    return stateBytes.toLong(context, sequence);
  }

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

  /** Writes the bytes of a token; returns how many, or minus how many there is no room for. */
  public int piece(long vocabulary, int token, MemorySegment text, int room, boolean special) {
    return piece.toInt(vocabulary, token, text.address(), room, 0, special);
  }

  /** The vocabulary's own entry for a token. */
  public String entry(long vocabulary, int token) {
    return NativeMemory.text(entry.toLong(vocabulary, token));
  }

  /** Number of tokens. */
  public int vocabularySize(long vocabulary) {
    return vocabularySize.toInt(vocabulary);
  }

  /** Kind of tokenizer, 0 for none. */
  public int vocabularyType(long vocabulary) {
    return vocabularyType.toInt(vocabulary);
  }

  /** Token that begins a text. */
  public int bos(long vocabulary) {
    return bos.toInt(vocabulary);
  }

  /** Token that ends a text. */
  public int eos(long vocabulary) {
    return eos.toInt(vocabulary);
  }

  /** Whether texts begin with {@link #bos}. */
  public boolean addsBos(long vocabulary) {
    return addsBos.toBoolean(vocabulary);
  }

  /** Whether a token ends generation. */
  public boolean endsGeneration(long vocabulary, int token) {
    return endsGeneration.toBoolean(vocabulary, token);
  }

  /** Whether a token steers the model. */
  public boolean isControl(long vocabulary, int token) {
    return control.toBoolean(vocabulary, token);
  }

  /** An empty chain of samplers that keeps no timings. */
  public long samplerChain() {
    return chain.toLong(1);
  }

  /** Adds a sampler to a chain, which then owns it. */
  public void addSampler(long samplers, long sampler) {
    chainAdd.run(samplers, sampler);
  }

  /** A sampler that takes the most probable token. */
  public long greedySampler() {
    return greedy.toLong();
  }

  /** A sampler that keeps the k most probable tokens. */
  public long topKSampler(int k) {
    return topK.toLong(k);
  }

  /** A sampler that keeps the most probable tokens up to a mass, at least one. */
  public long topPSampler(float mass) {
    return topP.toLong(mass, 1);
  }

  /** A sampler that divides logits by a temperature. */
  public long temperatureSampler(float degrees) {
    return temperature.toLong(degrees);
  }

  /** A sampler that draws with a seed. */
  public long seededSampler(int seed) {
    return distribution.toLong(seed);
  }

  /** Chooses from the logits of the batch's i-th token. */
  public int sample(long samplers, long context, int i) {
    return sample.toInt(samplers, context, i);
  }

  /** Frees a sampler, or a chain and all in it. */
  public void freeSampler(long sampler) {
    freeSampler.run(sampler);
  }
}
