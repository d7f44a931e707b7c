package org.modeltracer.tokens;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** Finds tokens that stand in a text by their names, before anything else splits it. */
final class SpecialTokens {
  /**
   * A part of a text.
   *
   * @param token the token it is, or −1 when it is still text
   */
  record Part(String text, int token) {
    boolean isToken() {
      return token >= 0;
    }
  }

  /** A token by name; some swallow the white space before them. */
  private record Special(int id, String text, boolean always, boolean stripsLeft) {}

  private final List<Special> specials;

  SpecialTokens(GgufVocabulary vocabulary, @Nullable String strippingLeft) {
    specials =
        IntStream.range(0, vocabulary.size())
            .filter(id -> vocabulary.type(id).special())
            .boxed()
            .sorted(
                Comparator.comparingInt(
                    id -> -vocabulary.text(id).getBytes(StandardCharsets.UTF_8).length))
            .map(
                id ->
                    new Special(
                        id,
                        vocabulary.text(id),
                        vocabulary.type(id) == TokenType.USER_DEFINED,
                        vocabulary.text(id).equals(strippingLeft)))
            .toList();
  }

  /** Splits at user-defined tokens, and at control tokens too when they are to be parsed. */
  List<Part> split(String text, boolean parse) {
    List<Part> parts = text.isEmpty() ? List.of() : List.of(new Part(text, -1));
    for (Special special : specials) {
      if (parse || special.always) {
        var split = new ArrayList<Part>();
        for (Part part : parts) {
          if (part.isToken() || !part.text.contains(special.text)) {
            split.add(part);
          } else {
            split(part.text, special, split);
          }
        }
        parts = split;
      }
    }
    return parts;
  }

  private static void split(String text, Special special, List<Part> out) {
    int start = 0;
    for (int at; (at = text.indexOf(special.text, start)) >= 0; ) {
      int end = at;
      while (special.stripsLeft && end > start && isSpace(text.charAt(end - 1))) {
        end--;
      }
      if (end > start) {
        out.add(new Part(text.substring(start, end), -1));
      }
      out.add(new Part(special.text, special.id));
      start = at + special.text.length();
    }
    if (start < text.length()) {
      out.add(new Part(text.substring(start), -1));
    }
  }

  private static boolean isSpace(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
  }
}
