package org.modeltracer.gate.doctor;

import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * What can be wrong with a model that prints garbage, the surest first: each explains those below
 * it, and is to be mended before they are looked at.
 */
public enum Illness {
  /** llama.cpp cannot load the file. */
  UNREADABLE(
      "The file cannot be loaded",
      List.of(
          "Download the file again, and compare its size and SHA-256 with the publisher's.",
          "Convert it again with the converter of a current llama.cpp."),
      "malformed",
      "unloadable"),
  /** A weight holds what no weight may. */
  DAMAGED_WEIGHT(
      "A weight is damaged",
      List.of(
          "Compare the file's SHA-256 with the publisher's: a broken download shows there.",
          "If they are the same, convert or quantize the named tensor again from its source."),
      "bad_weight",
      "absurd_scale",
      "missing_scale",
      "zero_factor",
      "zero_tensor"),
  /** Sound weights that give infinities all the same. */
  BROKEN_NUMBERS(
      "The numbers break while the model runs",
      List.of(
          "Run it with the cache in F32 (-ctk f32 -ctv f32) and flash attention off (-fa off): if"
              + " that is finite, F16 is too small for this model.",
          "If a backend is named, run on the CPU (-ngl 0) and compare."),
      "nan",
      "inf",
      "explosion",
      "row_sum",
      "masked_row",
      "logits",
      "not_finite",
      "headroom",
      "block_sum_overflow",
      "f16_overflow"),
  /** The file says something else than its reference. */
  OTHER_PARAMETERS(
      "A parameter is not the reference's",
      List.of(
          "Set the named key to the reference's value (gguf_set_metadata.py), or convert again."),
      "reference_differs",
      "other_model"),
  /** Text becomes the wrong tokens. */
  TOKENIZER(
      "The tokenizer does not belong to the vocabulary",
      List.of(
          "Convert again with a converter that knows this model's tokenizer; the message names what"
              + " is missing or wrong."),
      "tokenizer_mismatch",
      "vocabulary",
      "pre_tokenizer_missing",
      "pre_tokenizer_wrong",
      "pre_tokenizer_unconfirmed",
      "merge_order",
      "dead_tokens",
      "dead_merges",
      "unreached_tokens",
      "bytes_missing",
      "round_trip",
      "tokenizer"),
  /** Turns do not begin or end where the model learned it. */
  CHAT_FORMAT(
      "The chat format is wrong",
      List.of(
          "Set tokenizer.ggml.eos_token_id, eot_token_id and the token types as the model's"
              + " publisher has them, or take the publisher's template."),
      "special_token",
      "chat_template",
      "chat_template_missing",
      "chat_template_syntax",
      "end_of_turn",
      "mark_type",
      "mark_missing",
      "double_bos",
      "ordinary_end",
      "ordinary_begin"),
  /** Weights that are numbers and nothing else. */
  NO_LANGUAGE(
      "The model knows no language",
      List.of(
          "Compare it with its source, file by file: diff MODEL SOURCE names the first layer that"
              + " differs.",
          "Convert it again: a wrong architecture, layout or head order leaves sound numbers that"
              + " mean nothing.",
          "If the model is for another language or purpose, measure it on its own text (--text)."),
      "no_language",
      "random_weights"),
  /** Sparse attention that looks at the wrong keys. */
  WRONG_SELECTION(
      "Sparse attention selects the wrong keys",
      List.of(
          "If a mistake of a port is named, convert the indexer's tensors again with a converter of"
              + " a current llama.cpp, and run a current one.",
          "Keep the indexer's tensors (blk.N.indexer.*) in F16 or F32, and compare: sparse MODEL."),
      "port_mistake",
      "indexer_recall"),
  /** Rounding has gone too far. */
  QUANTIZATION(
      "Quantization costs too much",
      List.of(
          "Quantize to more bits, the tensors first that diff names as worst; an importance matrix"
              + " helps below 4 bits."),
      "quantization",
      "few_bits"),
  /** The same input does not give the same output. */
  COMPUTATION(
      "The same input does not give the same output",
      List.of(
          "Run on the CPU with one thread and compare: a backend's kernel, the cache or the batch"
              + " is at fault, and not the file."),
      "inconsistent_logits",
      "inconsistent_embeddings"),
  /** Layers that do not what layers do. */
  IDLE_PARTS(
      "Parts of the model do nothing, or all the same",
      List.of("Compare the named layers with the source's (diff): tensors may be missing or zero."),
      "vanishing",
      "residual_dominance",
      "attention_collapse",
      "uniform_attention",
      "dead_head",
      "dead_expert",
      "zero_rows",
      "kv_exhausted",
      "kv_thrashing"),
  /** The text runs in circles, and nothing else is wrong. */
  REPETITION(
      "The text runs in circles",
      List.of(
          "Sample: --temp 0.8 --top-p 0.95; with --temp 0 many sound models repeat themselves."),
      "repetition"),
  /** What no rule above knows. */
  OTHER("Something else was found", List.of("See what check says of it.")),
  /** The model was asked in another form than it learned. */
  RAW_PROMPT(
      "The prompt was given as it stands, and the model expects a chat",
      List.of("Let its template write the prompt: run --chat -p \"…\"."));

  private final String sentence;

  /** Lines. */
  private final String advice;

  /** Words. */
  private final String rules;

  Illness(String sentence, List<String> advice, String... rules) {
    this.sentence = sentence;
    this.advice = String.join("\n", advice);
    this.rules = String.join(" ", rules);
  }

  /** Name in JSON. */
  public String id() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** What is wrong, in general. */
  public String sentence() {
    return sentence;
  }

  /** What to try, in order. */
  public List<String> advice() {
    return advice.lines().toList();
  }

  /** The illness that a class of finding is a sign of. */
  static Illness of(String rule) {
    for (Illness illness : values()) {
      if (Set.of(illness.rules.split(" ")).contains(rule)) {
        return illness;
      }
    }
    return OTHER;
  }
}
