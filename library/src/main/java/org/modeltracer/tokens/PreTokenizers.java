package org.modeltracer.tokens;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The pre-tokenizers that GGUF files name in {@code tokenizer.ggml.pre}, as llama.cpp has them.
 *
 * <p>The expressions are those of the models' own tokenizers; where llama.cpp's differ, its are
 * followed, since it is llama.cpp that feeds the model.
 */
final class PreTokenizers {
  private static final String CONTRACTION = "'s|'t|'re|'ve|'m|'ll|'d";
  private static final String ANY_CASE_CONTRACTION =
      "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])";
  private static final String SPACES = "\\s+(?!\\S)|\\s+";
  private static final String LINES = "\\s*[\\r\\n]+|" + SPACES;
  private static final String WORD = "[^\\r\\n\\p{L}\\p{N}]?[\\p{L}]+";
  private static final String OTHERS = " ?[^\\s\\p{L}\\p{N}]+";
  private static final String DIGIT = "[\\p{N}]";
  private static final String UP_TO_3_DIGITS = "[\\p{N}]{1,3}";

  /** Digits in threes, counted from the right; what precedes them stays with the first. */
  private static final String DIGITS_FROM_THE_RIGHT =
      "[^\\p{N}]*+(?:[\\p{N}]{1,2}(?=(?:[\\p{N}]{3})+(?![\\p{N}]))|[\\p{N}]{1,3})|[^\\p{N}]+";

  private static final String GPT2 =
      CONTRACTION + "| ?[\\p{L}]+| ?[\\p{N}]+|" + OTHERS + "|" + SPACES;

  private static final String BLOOM = " ?[^(\\s|.,!?…。，、।۔،)]+";
  private static final String KANA_AND_HAN = "[\\u4e00-\\u9fa5\\u3040-\\u309f\\u30a0-\\u30ff]+";
  private static final String HAN_AND_HANGUL = "[\\u4e00-\\u9fa5\\u0800-\\u4e00\\uac00-\\ud7ff]+";
  private static final String ASCII_PUNCTUATION =
      "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+";
  private static final String MARKED_WORD = "[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+";
  private static final String DEEPSEEK3 =
      ASCII_PUNCTUATION + "|" + MARKED_WORD + "| ?[\\p{P}\\p{S}]+[\\r\\n]*|" + LINES;

  private static final String CASCADE =
      "\\s{512}(?!\\S)|\\s{256}(?!\\S)|\\s{128}(?!\\S)|\\s{64}(?!\\S)|\\s{32}(?!\\S)"
          + "|\\s{16}(?!\\S)|\\s{8}(?!\\S)|\\s{4}(?!\\S)|\\s{1,2}(?!\\S)|\\s{1}";

  /** Files with these names hold whole words even where no merge leads to them. */
  private static final Set<String> WHOLE_WORDS =
      Set.of(
          "llama3",
          "llama-v3",
          "llama-bpe",
          "falcon3",
          "falcon-h1",
          "pixtral",
          "midm-2.0",
          "lfm2",
          "jina-v5-nano",
          "minicpm5",
          "youtu",
          "tekken",
          "granite-embed-multi-97m");

  private static final Set<String> BEGIN_WITH_BOS =
      Set.of(
          "llama3",
          "llama-v3",
          "llama-bpe",
          "falcon3",
          "falcon-h1",
          "pixtral",
          "midm-2.0",
          "lfm2",
          "jina-v5-nano",
          "tekken",
          "chameleon");

  private static final Map<String, String> NOT_BY_EXPRESSION =
      Map.of(
          "kimi-k2", "splits Han letters in a way of its own",
          "gemma4", "works on characters, not bytes",
          "granite-embed-multi-311m", "works on characters, not bytes",
          "sarvam-moe", "works on characters, not bytes",
          "whitespace", "drops white space");

  private static final Map<String, List<String>> EXPRESSIONS = new HashMap<>();

  static {
    add(
        "gpt-2 phi-2 jina-es jina-de gigachat jina-v2-es jina-v2-de a.x-4.0 mellum modern-bert"
            + " jina-v1-en jina-v2-code roberta-bpe exaone4 mpt olmo jais trillion granite-docling",
        GPT2);
    add(
        "llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano dbrx"
            + " smaug-bpe glm4 chatglm-bpe",
        llama3(UP_TO_3_DIGITS));
    add(
        "qwen2 deepseek-r1-qwen kormo f2llmv2 stablelm2 hunyuan solar-open megrez grok-2",
        llama3(DIGIT));
    add("laguna", "[^\\n]+|[\\n]+", llama3(DIGIT));
    add("minicpm5", UP_TO_3_DIGITS, llama3("[\\p{N}]+"));
    add(
        "qwen35",
        ANY_CASE_CONTRACTION
            + "|[^\\r"
            + "\\n"
            + "\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|[\\p{N}]| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r"
            + "\\n"
            + "]*|"
            + LINES);
    add("ufakzeka", WORD + "|[\\p{N}]|" + OTHERS + "[\\r\\n]*|" + LINES);
    add(
        "seed-coder",
        ANY_CASE_CONTRACTION + "|" + WORD + "|[\\p{N}]| ?[^\\s\\p{L}\\p{N}\\r\\n]+|" + LINES);
    add(
        "bailingmoe bailingmoe2 llada-moe",
        "'(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])|"
            + WORD
            + "|[\\p{N}]|"
            + OTHERS
            + "[\\r\\n]*|\\s*[\\r\\n]|"
            + SPACES);
    add(
        "exaone-moe",
        ANY_CASE_CONTRACTION
            + "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}](?:[\\p{L}\\p{M}]++| (?=[\\p{L}]))*+|[\\p{N}]|"
            + OTHERS
            + "[\\r\\n/]?|\\s*[\\r\\n]|"
            + SPACES);
    add(
        "jais-2",
        ANY_CASE_CONTRACTION
            + "|"
            + WORD
            + "|"
            + UP_TO_3_DIGITS
            + "|"
            + OTHERS
            + "[\\r\\n]*|\\s*[\\r\\n]+|"
            + CASCADE);
    add(
        "gpt-4o llama4 kanana2 talkie minimax-m2",
        o200k("\\p{L}", ANY_CASE_CONTRACTION + "?", UP_TO_3_DIGITS));
    add(
        "granite-embed-multi-97m",
        o200k("\\p{L}\\p{M}", ANY_CASE_CONTRACTION + "?", UP_TO_3_DIGITS));
    add("tekken", o200k("\\p{L}", "", DIGIT));
    add("tiny_aya cohere2moe", DIGITS_FROM_THE_RIGHT, cased());
    add(
        "youtu",
        "[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，\\u3001-\\u303f\\ufe30-\\ufe4f]+|[ㄅ-ㄯ]+|" + KANA_AND_HAN,
        cased().replace(UP_TO_3_DIGITS, DIGIT));
    add(
        "deepseek-llm",
        "[\\r\\n]",
        "\\s?" + DeepSeekLetters.CLASS + "+",
        "\\s?[!-/:-~！-／：-～‘-‟\\u3000-。]+",
        "\\s+\\z",
        HAN_AND_HANGUL,
        "[\\p{N}]+");
    add("deepseek-coder", "[\\r\\n]", "\\s?[\\p{L}]+", "\\s?[\\p{P}]+", HAN_AND_HANGUL, DIGIT);
    add("deepseek-v3 hunyuan-dense joyai-llm hy_v4", UP_TO_3_DIGITS, KANA_AND_HAN, DEEPSEEK3);
    add(
        "spark2_5",
        UP_TO_3_DIGITS,
        KANA_AND_HAN,
        ASCII_PUNCTUATION + "|" + MARKED_WORD + "| ?[\\p{P}\\p{S}]+|[\\r\\n]|" + SPACES,
        DIGIT);
    add(
        "afmoe",
        DIGITS_FROM_THE_RIGHT,
        "[一-鿿㐀-䶿\\u8c48-\\ufaff\\u3040-\\u309f\\u30a0-\\u30ff･-ﾟ\\u2f00-\\u2fdf\\u0e40-\\u0e7f"
            + "\\u0e80-\\u0eff\\u1780-\\u17ff\\u1000-\\u109f\\uaa60-\\uaa7f\\ua9e0-\\ua9ff"
            + "\\uac00-\\ud7af\\u1100-\\u11ff]+",
        DEEPSEEK3);
    add("falcon", "[\\p{P}\\$\\+<=>\\^~\\|`]+", GPT2, "[0-9][0-9][0-9]");
    add("starcoder refact command-r smollm codeshell exaone minerva-7b mellum2", DIGIT, GPT2);
    add("poro-chat bloom gpt3-finnish", BLOOM);
    add("viking", BLOOM, DIGIT);
    add("superbpe", "[\\p{N}]+", "(?=(\\d{3})+(?!\\d))");
    add(
        "chameleon",
        "<sentinel:[0-9]+>",
        "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z",
        "([\\t\\n]|    |  )",
        DIGIT,
        "[\\p{P}!-/:-@\\[-`{-~]",
        GPT2);
    add("default", "[\\p{P}\\$\\+<=>\\^~\\|]+", GPT2, "[\\p{N}]+", "[0-9][0-9][0-9]");
  }

  private PreTokenizers() {}

  /**
   * The pre-tokenizer of a name.
   *
   * @throws UnsupportedTokenizer if it cannot be expressed here, or llama.cpp does not know it
   */
  static PreTokenizer named(String name) {
    if (NOT_BY_EXPRESSION.containsKey(name)) {
      throw new UnsupportedTokenizer("pre-tokenizer " + name + " " + NOT_BY_EXPRESSION.get(name));
    }
    List<String> expressions = EXPRESSIONS.get(name);
    if (expressions == null) {
      throw new UnsupportedTokenizer("unknown pre-tokenizer \"" + name + "\"");
    }
    return new PreTokenizer(expressions);
  }

  /** Whether a word that is a token is taken whole, without asking the merges. */
  static boolean takesWholeWords(String name) {
    return WHOLE_WORDS.contains(name);
  }

  /** Whether sequences begin with BOS when the file does not say. */
  static boolean beginsWithBos(String name) {
    return BEGIN_WITH_BOS.contains(name);
  }

  static Set<String> names() {
    return EXPRESSIONS.keySet();
  }

  /** The rules behind a name, the same for names that differ in nothing else. */
  static List<String> expressions(String name) {
    return EXPRESSIONS.getOrDefault(name, List.of());
  }

  private static void add(String names, String... expressions) {
    for (String name : names.split(" ")) {
      EXPRESSIONS.put(name, List.of(expressions));
    }
  }

  private static String llama3(String digits) {
    return ANY_CASE_CONTRACTION + "|" + WORD + "|" + digits + "|" + OTHERS + "[\\r\\n]*|" + LINES;
  }

  /** Words of upper-case then lower-case letters, letters outside ASCII being both. */
  private static String o200k(String letters, String contraction, String digits) {
    String upper = "[" + letters + "&&[^a-z]]";
    String lower = "[" + letters + "&&[^A-Z]]";
    return words(upper, lower, contraction, digits);
  }

  /** The same with case left out: to llama.cpp every category of letters is all letters. */
  private static String cased() {
    String either = "[\\p{L}\\p{M}]";
    return words(either, either, ANY_CASE_CONTRACTION + "?", UP_TO_3_DIGITS);
  }

  private static String words(String upper, String lower, String contraction, String digits) {
    String before = "[^\\r\\n\\p{L}\\p{N}]?";
    return before
        + upper
        + "*"
        + lower
        + "+"
        + contraction
        + "|"
        + before
        + upper
        + "+"
        + lower
        + "*"
        + contraction
        + "|"
        + digits
        + "|"
        + OTHERS
        + "[\\r\\n/]*|"
        + LINES;
  }
}
