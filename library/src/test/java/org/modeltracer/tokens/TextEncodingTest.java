package org.modeltracer.tokens;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.gguf.GgufBytes;

/** SentencePiece and WordPiece against brute force, hand-built tables and published behaviour. */
class TextEncodingTest {
  @TempDir Path folder;

  private static GgufBytes vocabulary(String model, List<String> tokens, float[] scores) {
    var types = new byte[tokens.size()][];
    var numbers = new byte[tokens.size()][];
    for (int i = 0; i < types.length; i++) {
      String token = tokens.get(i);
      int type =
          token.equals("<unk>") ? 2 : token.startsWith("[") ? 3 : token.startsWith("<0x") ? 6 : 1;
      types[i] = GgufBytes.u32(type);
      numbers[i] = GgufBytes.u32(Float.floatToIntBits(scores[i]));
    }
    return new GgufBytes()
        .text("tokenizer.ggml.model", model)
        .texts("tokenizer.ggml.tokens", tokens.toArray(String[]::new))
        .array("tokenizer.ggml.token_type", 5, types.length, types)
        .array("tokenizer.ggml.scores", 6, numbers.length, numbers);
  }

  private TextEncoding read(GgufBytes file) {
    return TextEncoding.of(GgufVocabulary.of(file.read(folder)));
  }

  /** The best sum over every way to cut a text, by recursion. */
  private static double best(String text, List<String> tokens, float[] scores, double unknown) {
    if (text.isEmpty()) {
      return 0;
    }
    double most = Double.NEGATIVE_INFINITY;
    boolean single = false;
    for (int id = 1; id < tokens.size(); id++) {
      if (text.startsWith(tokens.get(id))) {
        single |= tokens.get(id).length() == 1;
        String rest = text.substring(tokens.get(id).length());
        most = Math.max(most, scores[id] + best(rest, tokens, scores, unknown));
      }
    }
    return single
        ? most
        : Math.max(most, unknown + best(text.substring(1), tokens, scores, unknown));
  }

  @Test
  void unigramFindsTheBestOfAllCuts() {
    var random = new Random(4);
    for (int round = 0; round < 40; round++) {
      List<String> tokens = new ArrayList<>(List.of("<unk>", "a", "b"));
      while (tokens.size() < 12) {
        var token = new StringBuilder();
        random.ints(2 + random.nextInt(3), 0, 3).forEach(i -> token.append("abc".charAt(i)));
        if (!tokens.contains(token.toString())) {
          tokens.add(token.toString());
        }
      }
      var scores = new float[tokens.size()];
      float least = 0;
      for (int i = 1; i < scores.length; i++) {
        scores[i] = -1 - 9 * random.nextFloat();
        least = Math.min(least, scores[i]);
      }
      TextEncoding encoding =
          read(
              vocabulary("t5", tokens, scores)
                  .u32("tokenizer.ggml.unknown_token_id", 0)
                  .bool("tokenizer.ggml.add_eos_token", false));
      var text = new StringBuilder();
      random.ints(10, 0, 3).forEach(i -> text.append("abc".charAt(i)));
      double unknown = least - 10;
      int[] ids = encoding.encode(text.toString(), true, false);
      double sum = 0;
      int covered = 0;
      for (int id : ids) {
        sum += id == 0 ? 0 : scores[id];
        covered += id == 0 ? 0 : tokens.get(id).length();
      }
      sum += unknown * (text.length() - covered);
      assertThat(sum).isCloseTo(best(text.toString(), tokens, scores, unknown), within(1e-9));
    }
  }

  /** A trie of one key, laid out by hand: 'A' becomes "b". */
  @Test
  void charactersAreReplacedAsTheTrieSays() {
    int[] trie = new int[512];
    Arrays.fill(trie, 1 << 31 | 1);
    trie[0] = 256 << 10;
    int child = 256 ^ 'A';
    trie[child] = 1 << 8 | 'A' | 32 << 10;
    trie[child ^ 32] = 1 << 31 | 2;
    var bytes = new ArrayList<byte[]>();
    bytes.add(GgufBytes.u32(trie.length * 4));
    for (int unit : trie) {
      bytes.add(GgufBytes.u32(unit));
    }
    bytes.add("x\0b\0".getBytes(StandardCharsets.UTF_8));
    var all = new ByteArrayOutputStream();
    bytes.forEach(all::writeBytes);
    var map = new CharacterMap(all.toByteArray());
    assertThat(map.apply("AéA漢a")).isEqualTo("béb漢a");
    assertThat(new CharacterMap(new byte[0]).apply("AéA")).isEqualTo("AéA");
  }

  @Test
  void sentencePieceMergesTheBestScoreAndFallsBackToBytes() {
    List<String> tokens = new ArrayList<>(List.of("<unk>"));
    for (int b = 0; b < 256; b++) {
      tokens.add("<0x%02X>".formatted(b));
    }
    tokens.addAll(List.of("▁", "a", "b", "c", "bc", "ab", "▁ab"));
    var scores = new float[tokens.size()];
    for (int i = 257; i < scores.length; i++) {
      scores[i] = 257 - i;
    }
    TextEncoding encoding =
        read(vocabulary("llama", tokens, scores).bool("tokenizer.ggml.add_bos_token", false));
    assertThat(names(encoding, "abc")).containsExactly("▁", "a", "bc");
    assertThat(names(encoding, "ab")).containsExactly("▁ab");
    assertThat(names(encoding, "é\n")).containsExactly("▁", "<0xC3>", "<0xA9>", "<0x0A>");
    assertThat(encoding.unreached()).isEmpty();
    assertThat(encoding.learntTokens()).isEqualTo(3);
  }

  @Test
  void wordPieceIsThatOfBert() {
    List<String> tokens =
        List.of(
            "[UNK]", "[CLS]", "[SEP]", "▁un", "aff", "able", "▁runn", "ing", "▁cafe", "▁漢", "▁!",
            "▁x", "x", "▁ᄒ", "ᅡ", "ᆫ");
    TextEncoding encoding =
        read(
            vocabulary("bert", tokens, new float[tokens.size()])
                .u32("tokenizer.ggml.unknown_token_id", 0)
                .u32("tokenizer.ggml.bos_token_id", 1)
                .u32("tokenizer.ggml.seperator_token_id", 2));
    assertThat(names(encoding, "UNaffable running"))
        .as("the example of BERT's own tests")
        .containsExactly("[CLS]", "▁un", "aff", "able", "▁runn", "ing", "[SEP]");
    assertThat(names(encoding, "unwanted")).containsExactly("[CLS]", "[UNK]", "[SEP]");
    assertThat(names(encoding, "Café漢漢!"))
        .containsExactly("[CLS]", "▁cafe", "▁漢", "▁漢", "▁!", "[SEP]");
    assertThat(encoding.encode("x".repeat(100), false, false)).hasSize(100).contains(11, 12);
    assertThat(encoding.encode("x".repeat(101), false, false)).containsExactly(0);
    assertThat(names(encoding, "한")).as("NFD").containsExactly("[CLS]", "▁ᄒ", "ᅡ", "ᆫ", "[SEP]");
    assertThat(names(encoding, "u\u0000n\u200daffable")).contains("▁un", "aff", "able");
  }

  private static List<String> names(TextEncoding encoding, String text) {
    return Arrays.stream(encoding.encode(text, true, false))
        .mapToObj(encoding.vocabulary()::text)
        .toList();
  }
}
