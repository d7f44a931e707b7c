package org.modeltracer.gate.checks;

import static org.modeltracer.anomaly.Severity.CRITICAL;
import static org.modeltracer.anomaly.Severity.WARNING;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.OptionalLong;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.modeltracer.gguf.ArrayValue;
import org.modeltracer.tokens.GgufVocabulary;
import org.modeltracer.tokens.TokenType;
import org.modeltracer.tokens.UnsupportedTokenizer;

/** Whether the tokens that begin, end and pad a text exist and are what they should be. */
final class SpecialTokenIds {
  private static final String PREFIX = "tokenizer.ggml.";
  private static final String SUFFIX = "_token_id";

  /** What converters write for "there is none" into an unsigned number. */
  private static final long NONE = 0xffffffffL;

  private static final int MOST_TOKENS = 1 << 22;

  /** Names that nobody writes as text. */
  private static final Pattern MARKED =
      Pattern.compile("^[<\\[{].*[>\\]}]$|\\|.*\\||^▁?<.*", Pattern.DOTALL);

  private SpecialTokenIds() {}

  /** Whether a token is text that people write. */
  static boolean ordinary(GgufVocabulary vocabulary, int token) {
    return vocabulary.type(token) == TokenType.NORMAL
        && !MARKED.matcher(vocabulary.text(token)).find();
  }

  static void look(FileMetadata.Problems problems) {
    int tokens = problems.metadata().array(PREFIX + "tokens").map(ArrayValue::size).orElse(0);
    if (tokens > MOST_TOKENS) {
      problems.signal("vocabulary", tokens);
      problems.say(
          "vocabulary",
          WARNING,
          PREFIX + "tokens",
          "a vocabulary of %,d tokens, which no model has".formatted(tokens));
      return;
    }
    GgufVocabulary vocabulary;
    try {
      vocabulary = GgufVocabulary.of(problems.file());
    } catch (UnsupportedTokenizer none) {
      problems.signal("vocabulary", null);
      return;
    }
    problems.signal("vocabulary", vocabulary.size());
    Map<String, @Nullable Object> ids = new LinkedHashMap<>();
    for (String key : problems.metadata().keys()) {
      if (key.startsWith(PREFIX) && key.endsWith(SUFFIX)) {
        OptionalLong id = problems.metadata().integer(key);
        String name = key.substring(PREFIX.length(), key.length() - SUFFIX.length());
        ids.put(name, id.isPresent() ? id.getAsLong() : null);
        one(problems, vocabulary, key, name, id);
      }
    }
    problems.signal("special_tokens", ids);
    ends(problems, vocabulary);
    lengths(problems, vocabulary);
  }

  private static void one(
      FileMetadata.Problems problems,
      GgufVocabulary vocabulary,
      String key,
      String name,
      OptionalLong id) {
    if (id.isEmpty()) {
      problems.add("special_token", CRITICAL, key, "not a whole number");
    } else if (none(id)) {
      return;
    } else if (id.getAsLong() < 0 || id.getAsLong() >= vocabulary.size()) {
      problems.add(
          "special_token",
          CRITICAL,
          key,
          "outside the vocabulary of %d tokens".formatted(vocabulary.size()));
    } else if (name.equals("bos") || name.equals("eos")) {
      int token = (int) id.getAsLong();
      if (ordinary(vocabulary, token)) {
        problems.add(
            "special_token",
            WARNING,
            key,
            "a token of ordinary text, " + ByteLevel.quote(vocabulary.text(token)));
      }
    }
  }

  /** Without an id of its own, llama.cpp takes a token by a number that other models have. */
  private static void ends(FileMetadata.Problems problems, GgufVocabulary vocabulary) {
    String eos = PREFIX + "eos" + SUFFIX;
    boolean missing = problems.metadata().get(eos).isEmpty();
    if (vocabulary.byteLevel() && (missing || none(problems.metadata().integer(eos)))) {
      problems.say(
          "special_token",
          WARNING,
          eos,
          eos
              + (missing ? " is missing" : " is -1, which is not a token")
              + ": llama.cpp takes token 11 for the end of a text");
    }
    boolean wantsBos = vocabulary.addBos().orElse(false);
    if (wantsBos && problems.metadata().integer(PREFIX + "bos" + SUFFIX).isEmpty()) {
      problems.say(
          "special_token",
          WARNING,
          PREFIX + "add_bos_token",
          "add_bos_token is true, but no token begins a text: bos_token_id is missing");
    }
  }

  private static boolean none(OptionalLong id) {
    return id.isPresent() && (id.getAsLong() == NONE || id.getAsLong() == -1);
  }

  private static void lengths(FileMetadata.Problems problems, GgufVocabulary vocabulary) {
    for (String name : new String[] {"scores", "token_type"}) {
      int size =
          problems.metadata().array(PREFIX + name).map(ArrayValue::size).orElse(vocabulary.size());
      if (size != vocabulary.size()) {
        problems.say(
            "vocabulary",
            WARNING,
            PREFIX + name,
            "%s%s has %d entries for %d tokens".formatted(PREFIX, name, size, vocabulary.size()));
      }
    }
  }
}
