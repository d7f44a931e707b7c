package org.modeltracer.tokens;

import java.util.Arrays;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.modeltracer.gguf.ArrayValue;
import org.modeltracer.gguf.Metadata;

/**
 * The types of tokens, corrected as llama.cpp corrects them.
 *
 * <p>Converters often forget to mark control tokens, so llama.cpp knows some by their text.
 */
final class TokenTypes {
  private static final Set<String> END_OF_GENERATION =
      Set.of(
          "<|eot_id|>",
          "<|im_end|>",
          "<|end|>",
          "<|return|>",
          "<|call|>",
          "<|flush|>",
          "<|calls|>",
          "<end_of_turn>",
          "<|endoftext|>",
          "</s>",
          "<|eom_id|>",
          "<EOT>",
          "_<EOT>",
          "[EOT]",
          "[EOS]",
          "<|end_of_text|>",
          "<end_of_utterance>",
          "<eos>",
          "<turn|>",
          "<|tool_response>",
          "<｜end▁of▁sentence｜>",
          "[e~[");

  /** Tokens of code completion, known by their text unless the file names one by this key. */
  private static final Map<String, Set<String>> FILL_IN_THE_MIDDLE =
      Map.of(
          "fim_pre_token_id",
          Set.of(
              "<|fim_prefix|>",
              "<fim-prefix>",
              "<fim_prefix>",
              "<｜fim▁begin｜>",
              "<PRE>",
              "▁<PRE>",
              "<|code_prefix|>",
              "<|prefix|>"),
          "fim_suf_token_id",
          Set.of(
              "<|fim_suffix|>",
              "<fim-suffix>",
              "<fim_suffix>",
              "<｜fim▁hole｜>",
              "<SUF>",
              "▁<SUF>",
              "<|code_suffix|>",
              "<|suffix|>"),
          "fim_mid_token_id",
          Set.of(
              "<|fim_middle|>",
              "<fim-middle>",
              "<fim_middle>",
              "<｜fim▁end｜>",
              "<MID>",
              "▁<MID>",
              "<|code_middle|>",
              "<|middle|>"),
          "fim_pad_token_id",
          Set.of("<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"),
          "fim_rep_token_id",
          Set.of("<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"),
          "fim_sep_token_id",
          Set.of("<|file_sep|>"));

  /** Tokens of gpt-oss that are shown though they are not text. */
  private static final Set<String> SHOWN =
      Set.of("<|channel|>", "<|message|>", "<|start|>", "<|constrain|>");

  private TokenTypes() {}

  static TokenType[] read(Metadata metadata, String[] texts) {
    var types = new TokenType[texts.length];
    Optional<ArrayValue> numbers =
        metadata
            .array("tokenizer.ggml.token_type")
            .filter(array -> array.elementType().isInteger() && array.size() >= texts.length);
    Set<String> completion = completion(metadata);
    Set<String> all = Set.copyOf(Arrays.asList(texts));
    for (int id = 0; id < texts.length; id++) {
      TokenType said =
          numbers.isPresent() ? TokenType.of(numbers.get().integer(id)) : TokenType.NORMAL;
      types[id] =
          END_OF_GENERATION.contains(texts[id]) || SHOWN.contains(texts[id])
              ? ending(texts[id], all)
              : completion.contains(texts[id]) ? TokenType.CONTROL : said;
    }
    return types;
  }

  /** The type of a token that ends a turn, unless others in the vocabulary say it does not. */
  private static TokenType ending(String text, Set<String> all) {
    if (SHOWN.contains(text)) {
      return TokenType.USER_DEFINED;
    }
    boolean calls = all.contains("<|call|>") || all.contains("<|calls|>");
    if (text.equals("<|end|>")
        && calls
        && (all.contains("<|return|>") || all.contains("<|flush|>"))) {
      return TokenType.USER_DEFINED;
    }
    return text.equals("</s>") && all.contains("<|tool_response>")
        ? TokenType.NORMAL
        : TokenType.CONTROL;
  }

  private static Set<String> completion(Metadata metadata) {
    var texts = new HashSet<String>();
    FILL_IN_THE_MIDDLE.forEach(
        (key, known) -> {
          if (metadata.integer("tokenizer.ggml." + key).isEmpty()) {
            texts.addAll(known);
          }
        });
    return texts;
  }
}
