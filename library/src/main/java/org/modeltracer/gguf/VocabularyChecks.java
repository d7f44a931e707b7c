package org.modeltracer.gguf;

import java.nio.charset.StandardCharsets;
import java.util.BitSet;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import java.util.Set;

/** The vocabulary: arrays that llama.cpp indexes without looking at their length or type. */
final class VocabularyChecks {
  private static final String MODEL = "tokenizer.ggml.model";
  private static final String TOKENS = "tokenizer.ggml.tokens";
  private static final String EMBEDDING = "token_embd.weight";
  private static final Set<String> NO_VOCABULARY = Set.of("none", "no_vocab");

  private VocabularyChecks() {}

  static void run(LoadChecks checks) {
    var model = checks.metadata().string(MODEL);
    if (model.isEmpty()) {
      checks.report(MODEL, "must name a tokenizer, or none");
      return;
    }
    if (NO_VOCABULARY.contains(model.get())) {
      checks.integer("vocab_size").ifPresent(size -> rows(checks, checks.key("vocab_size"), size));
      return;
    }
    var tokens = checks.metadata().array(TOKENS);
    if (tokens.isEmpty() || tokens.get().elementType() != ValueType.STRING) {
      checks.report(TOKENS, "must be an array of strings");
      return;
    }
    rows(checks, TOKENS, tokens.get().size());
    perToken(
        checks,
        "tokenizer.ggml.scores",
        tokens.get().size(),
        Set.of(ValueType.FLOAT32, ValueType.INT32));
    perToken(checks, "tokenizer.ggml.token_type", tokens.get().size(), Set.of(ValueType.INT32));
    twice(checks, tokens.get());
    if (model.get().equals("rwkv")) {
      bytes(checks, tokens.get());
    }
    var merges = checks.metadata().get("tokenizer.ggml.merges");
    if (merges.isPresent()
        && !(merges.get() instanceof ArrayValue array
            && (array.elementType() == ValueType.STRING || array.size() == 0))) {
      checks.report("tokenizer.ggml.merges", "must be an array of strings");
    }
  }

  private static void rows(LoadChecks checks, String key, long tokens) {
    checks
        .file()
        .tensor(EMBEDDING)
        .filter(embedding -> embedding.dimension(1) != tokens)
        .ifPresent(
            embedding ->
                checks.report(
                    key,
                    "has %d tokens, %s has %d rows",
                    tokens,
                    EMBEDDING,
                    embedding.dimension(1)));
  }

  private static void perToken(LoadChecks checks, String key, int tokens, Set<ValueType> types) {
    var value = checks.metadata().get(key);
    if (value.isPresent()
        && !(value.get() instanceof ArrayValue array
            && types.contains(array.elementType())
            && array.size() >= tokens)) {
      checks.report(
          key, "must be an array of %s, one for each of %d tokens", types.toString(), tokens);
    }
  }

  private static void twice(LoadChecks checks, ArrayValue tokens) {
    Map<String, Integer> ids = HashMap.newHashMap(tokens.size());
    for (int id = 0; id < tokens.size(); id++) {
      String text = asC(tokens.stringBytes(id));
      Integer first = text.isEmpty() ? null : ids.putIfAbsent(text, id);
      if (first != null) {
        checks.report(TOKENS, "has token \"%s\" twice, as %d and %d", tokens.string(id), first, id);
        return;
      }
    }
  }

  /** A text as llama.cpp takes it: a zero ends it, and may make two tokens one. */
  private static String asC(byte[] bytes) {
    String text = new String(bytes, StandardCharsets.ISO_8859_1);
    int zero = text.indexOf(0);
    return zero < 0 ? text : text.substring(0, zero);
  }

  /**
   * An RWKV vocabulary has a token for each byte, written as a letter or an escape. Without one,
   * llama.cpp makes token −1 of the byte.
   */
  private static void bytes(LoadChecks checks, ArrayValue tokens) {
    var have = new BitSet();
    for (int id = 0; id < tokens.size(); id++) {
      byte[] text = tokens.stringBytes(id);
      String letters = new String(text, StandardCharsets.ISO_8859_1);
      if (letters.length() == 1) {
        have.set(letters.charAt(0));
      } else if (letters.matches("\\\\x[0-9a-fA-F]{2}")) {
        have.set(HexFormat.fromHexDigits(letters, 2, 4));
      } else if (letters.length() == 2 && letters.charAt(0) == '\\') {
        have.set(
            switch (letters.charAt(1)) {
              case 't' -> '\t';
              case 'n' -> '\n';
              case 'r' -> '\r';
              default -> letters.charAt(1);
            });
      }
    }
    if (have.cardinality() < 256) {
      checks.report(
          MODEL,
          "does not fit the tokens: an rwkv vocabulary has a token for every byte, this one lacks"
              + " %d of 256",
          256 - have.cardinality());
    }
  }
}
