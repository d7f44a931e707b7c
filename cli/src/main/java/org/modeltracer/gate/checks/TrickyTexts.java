package org.modeltracer.gate.checks;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.stream.IntStream;
import org.modeltracer.tokens.GgufVocabulary;
import org.modeltracer.tokens.TokenType;
import org.modeltracer.trace.Json;
import tools.jackson.core.type.TypeReference;

/** Texts on which tokenizers go wrong: a fixed list, long runs, special tokens, random ones. */
final class TrickyTexts {
  private static final int RANDOM = 200;
  private static final int SPECIALS = 32;
  private static final int LONGEST_SPECIAL = 64;
  private static final String ALPHABET =
      "aZ's't \t\n\r.,-_'\"(09²½eé\u0301ßΩжשمह中かカ한🙂\u200d\u00a0\u3000";

  private TrickyTexts() {}

  /** The fixed list, the same for every model. */
  static List<String> fixed() {
    var texts = new ArrayList<String>();
    try (InputStream in = TrickyTexts.class.getResourceAsStream("tricky.json")) {
      texts.addAll(
          Json.mapper()
              .readValue(
                  Objects.requireNonNull(in, "the jar lacks tricky.json"),
                  new TypeReference<List<String>>() {}));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    for (String unit : List.of(" ", "\n", "x", "7", "-", "é", "漢", "ab ", " \n")) {
      texts.add(unit.repeat(700));
    }
    return texts;
  }

  /** All texts for a vocabulary; the seed makes the random ones. */
  static List<String> of(GgufVocabulary vocabulary, long seed) {
    List<String> texts = fixed();
    List<Integer> specials =
        IntStream.range(0, vocabulary.size())
            .filter(id -> marked(vocabulary.type(id)))
            .filter(id -> vocabulary.text(id).length() <= LONGEST_SPECIAL)
            .limit(SPECIALS)
            .boxed()
            .toList();
    for (int id : specials) {
      String name = vocabulary.text(id);
      texts.add("before " + name + " after" + name + name);
    }
    var random = new Random(seed);
    for (int i = 0; i < RANDOM; i++) {
      texts.add(random(vocabulary, random));
    }
    return texts;
  }

  private static boolean marked(TokenType type) {
    return type == TokenType.CONTROL || type == TokenType.USER_DEFINED;
  }

  /** Letters from everywhere, mixed with texts of the vocabulary's own tokens. */
  private static String random(GgufVocabulary vocabulary, Random random) {
    int[] letters = ALPHABET.codePoints().toArray();
    var text = new StringBuilder();
    for (int n = 1 + random.nextInt(24); n > 0; n--) {
      int id = random.nextInt(vocabulary.size());
      if (random.nextInt(3) > 0 || vocabulary.type(id) != TokenType.NORMAL) {
        text.appendCodePoint(letters[random.nextInt(letters.length)]);
      } else {
        text.append(vocabulary.decode(id));
      }
    }
    return text.toString();
  }
}
