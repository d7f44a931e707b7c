package org.modeltracer.sparse.patterns;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class KeyKindTest {
  private static List<KeyKind> kinds(String... texts) {
    int[] ids = Stream.of(texts).mapToInt(String::hashCode).toArray();
    return KeyTokens.of(ids, List.of(texts), Stream.of(texts).map(t -> t.startsWith("<|")).toList())
        .kinds();
  }

  @Test
  void everyTokenIsOfOneKind() {
    assertThat(
            kinds(
                "<|bos|>", "The", " cat", "s", " sat", ",", " 3", "4", ".", "\n\n", "  ", " Ab",
                "c"))
        .containsExactly(
            KeyKind.SPECIAL,
            KeyKind.CAPITALIZED,
            KeyKind.WORD,
            KeyKind.CONTINUATION,
            KeyKind.WORD,
            KeyKind.PUNCTUATION,
            KeyKind.DIGIT,
            KeyKind.DIGIT,
            KeyKind.PUNCTUATION,
            KeyKind.NEWLINE,
            KeyKind.SPACE,
            KeyKind.CAPITALIZED,
            KeyKind.CONTINUATION);
  }

  @Test
  void marksOfCodeAreSymbols() {
    assertThat(kinds("{", "}", " =", "+=", "->", "[", "_", "(", "\"", " —", "?!"))
        .containsExactly(
            KeyKind.SYMBOL,
            KeyKind.SYMBOL,
            KeyKind.SYMBOL,
            KeyKind.SYMBOL,
            KeyKind.SYMBOL,
            KeyKind.SYMBOL,
            KeyKind.SYMBOL,
            KeyKind.PUNCTUATION,
            KeyKind.PUNCTUATION,
            KeyKind.PUNCTUATION,
            KeyKind.PUNCTUATION);
  }

  @Test
  void otherScriptsAndPartsOfCharacters() {
    assertThat(kinds("語", "テ", "한", " Über", " привет", "\uFFFD", "a"))
        .containsExactly(
            KeyKind.CJK,
            KeyKind.CJK,
            KeyKind.CJK,
            KeyKind.CAPITALIZED,
            KeyKind.WORD,
            KeyKind.FRAGMENT,
            KeyKind.WORD);
  }

  @Test
  void aWordBeginsAfterAMarkWithoutSpace() {
    assertThat(kinds("(", "value", ")", "x", "y", "'", "s"))
        .containsExactly(
            KeyKind.PUNCTUATION,
            KeyKind.WORD,
            KeyKind.PUNCTUATION,
            KeyKind.WORD,
            KeyKind.CONTINUATION,
            KeyKind.PUNCTUATION,
            KeyKind.WORD);
  }

  @Test
  void repeatedCountsBesideTheOthers() {
    KeyTokens tokens =
        KeyTokens.of(
            new int[] {5, 6, 5, 7, 6},
            List.of("a", " b", "a", ".", " b"),
            List.of(false, false, false, false, false));
    assertThat(tokens.repeated()).containsExactly(false, false, true, false, true);
    assertThat(tokens.kinds().get(2)).isEqualTo(KeyKind.CONTINUATION);
  }
}
