package org.modeltracer.gguf;

import java.util.Locale;
import java.util.Optional;

/** What a GGUF file is for. */
public enum GgufKind {
  /** A model that reads and writes tokens. */
  MODEL("a language model", ""),
  /** What turns images or sound into embeddings for a language model. */
  PROJECTOR("a multimodal projector", "llama.cpp takes it with --mmproj, beside its model"),
  /** Low-rank changes of a model's weights. */
  ADAPTER("a LoRA adapter", "llama.cpp takes it with --lora, beside its model"),
  /** Directions that are added to the residual stream. */
  CONTROL_VECTOR("a control vector", "llama.cpp takes it with --control-vector, beside its model"),
  /** Sums of squared activations, by which a quantizer weighs columns. */
  IMPORTANCE_MATRIX("an importance matrix", "llama-quantize takes it with --imatrix"),
  /** Metadata with a tokenizer, and no tensor. */
  VOCABULARY("a vocabulary without weights", "name the model's file"),
  /** An image or speech model, or whatever else is kept as GGUF. */
  OTHER("another kind of model", "llama.cpp does not run it");

  private static final String TYPE = "general.type";
  private static final String ARCHITECTURE = "general.architecture";
  private static final String TOKENIZER = "tokenizer.ggml.model";
  private static final String ADAPTER_TYPE = "adapter.type";

  private final String id = name().toLowerCase(Locale.ROOT);
  private final String words;
  private final String remedy;

  GgufKind(String words, String remedy) {
    this.words = words;
    this.remedy = remedy;
  }

  /** Name in JSON. */
  public String id() {
    return id;
  }

  /** What a file is, by its keys and the names of its tensors. */
  static GgufKind of(GgufFile file) {
    Metadata metadata = file.metadata();
    String type = metadata.string(TYPE).orElse("");
    String architecture = file.architecture().orElse("");
    if (type.equals("mmproj") || architecture.equals("clip")) {
      return PROJECTOR;
    }
    if (type.equals("adapter") || metadata.get(ADAPTER_TYPE).isPresent()) {
      return ADAPTER;
    }
    if (architecture.equals("controlvector")) {
      return CONTROL_VECTOR;
    }
    if (type.equals("imatrix") || metadata.get("imatrix.chunk_count").isPresent()) {
      return IMPORTANCE_MATRIX;
    }
    boolean tokenizer = metadata.get(TOKENIZER).isPresent();
    if (file.tensors().isEmpty() && tokenizer) {
      return VOCABULARY;
    }
    // Whatever has the least sign of a language model is taken for one that may be broken.
    boolean language =
        tokenizer
            || file.tensors().isEmpty()
            || metadata.get(architecture + ".block_count").isPresent()
            || file.tensors().stream().anyMatch(tensor -> ofLanguage(tensor.name()));
    return language ? MODEL : OTHER;
  }

  private static boolean ofLanguage(String tensor) {
    return tensor.startsWith("blk.") || tensor.equals("token_embd.weight");
  }

  /**
   * What a file of this kind is and who takes it, in one line: {@code a LoRA adapter (general.type
   * adapter), not a language model: …}.
   */
  public String sentence(GgufFile file) {
    return GgufException.sentence(
            this == OTHER || this == VOCABULARY ? "%s (%s): " : "%s (%s), not a language model: ",
            words,
            sign(file))
        + remedy;
  }

  /** The key that told. */
  private String sign(GgufFile file) {
    if (this == VOCABULARY) {
      return "it has no tensors";
    }
    Optional<String> type = file.metadata().string(TYPE).filter(t -> !t.equals("model"));
    return type.map(value -> TYPE + " " + value)
        .or(() -> file.architecture().map(value -> ARCHITECTURE + " " + value))
        .orElse("it names no architecture");
  }

  @Override
  public String toString() {
    return words;
  }
}
