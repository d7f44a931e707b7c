package org.modeltracer.tokens;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.modeltracer.gguf.GgufBytes;
import org.modeltracer.gguf.GgufFile;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class BpeEncodingTest {
  private static final List<String> TRICKY =
      List.of(
          "",
          "\0",
          "a\0b",
          " ",
          " ".repeat(700),
          "  a   b    c",
          "tabs\tand\r\nlines\n\n\nhere\r",
          "I'm sure they're what we'd've SAID'S",
          "1234567890 3.14 ½ Ⅷ ٣٤",
          "emoji 😀 👩‍💻 🇩🇪 👍🏽 🫨",
          "中文 漢字かな 한국어 ไทย हिन्दी",
          "e\u0301a\u0308 zalgo \u0301\u0301\u0301",
          "zero\u200bwidth\u200djoin\ufeff nbsp\u00a0 ideographic\u3000",
          "\u0085\u2028\u2029\u001c",
          "𝒳𐐷 \uD83D\uDE00",
          "<|bos|> is text here",
          "x".repeat(2000));

  @TempDir Path directory;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "rand-gemma2-f32",
        "rand-gpt2-f32",
        "rand-mixtral-f32",
        "rand-qwen2-f32",
        "tinyllama-gqa-f16",
        "tinyllama-gqa-Q2_K",
        "tinyllama-mha-f32",
        "tinyllama-mha-Q4_0"
      })
  void promptsGiveTheGoldenIds(String model) {
    BpeEncoding encoding = model(model);
    Path file = Path.of("test-fixtures", "goldens", "prompts.json");
    for (JsonNode prompt : JsonMapper.shared().readTree(file.toFile())) {
      int[] ids = JsonMapper.shared().convertValue(prompt.get("ids"), int[].class);
      String text = prompt.get("text").asString();
      assertThat(encoding.encode(text, false)).as(text).isEqualTo(ids);
      for (int i = 0; i < ids.length; i++) {
        assertThat(encoding.vocabulary().text(ids[i]))
            .isEqualTo(prompt.get("tokens").get(i).asString());
      }
    }
    assertThat(encoding.deadMerges()).isZero();
  }

  @Test
  void decodingGivesTheTextBack() {
    BpeEncoding encoding = model("tinyllama-mha-f32");
    for (String text : TRICKY) {
      assertThat(encoding.decode(encoding.encode(text, false, false))).isEqualTo(text);
    }
    var random = new Random(42);
    for (int i = 0; i < 500; i++) {
      String text = randomText(random);
      assertThat(encoding.decode(encoding.encode(text, false, false))).isEqualTo(text);
    }
  }

  @Test
  void unpairedSurrogatesAreQuestionMarks() {
    BpeEncoding encoding = model("tinyllama-mha-f32");
    assertThat(encoding.encode("a\ud83db\ude00", false)).isEqualTo(encoding.encode("a?b?", false));
  }

  @Test
  void controlTokensAreParsedOnDemand() {
    BpeEncoding encoding = model("tinyllama-mha-f32");
    assertThat(encoding.encode("<|bos|>", false, true)).containsExactly(0);
    assertThat(encoding.encode("<|bos|><|eos|>", true)).containsExactly(0, 0, 1);
    assertThat(encoding.encode("", true)).containsExactly(0);
    int[] asText = encoding.encode("<|bos|>", false, false);
    assertThat(asText).doesNotContain(0);
    assertThat(encoding.decode(asText)).isEqualTo("<|bos|>");
    assertThat(encoding.encode("a<|eos|>b", false, true)).hasSize(3).contains(1);
  }

  /** Merges in any order, of few letters so that they overlap: against merging by definition. */
  @Test
  void mergesAreAppliedByRankWhateverTheirOrder() {
    var random = new Random(2016);
    for (int round = 0; round < 40; round++) {
      List<String> merges = randomMerges(random);
      BpeEncoding encoding = Vocabularies.ofMerges(directory, "superbpe", merges);
      for (int i = 0; i < 30; i++) {
        var text = new StringBuilder();
        for (int n = i == 0 ? 600 : i == 1 ? 499 : random.nextInt(1, 40); n > 0; n--) {
          text.append((char) ('a' + random.nextInt(3)));
        }
        List<String> expected = mergedByDefinition(text.toString(), merges);
        int[] ids = encoding.encode(text.toString(), false);
        assertThat(Arrays.stream(ids).mapToObj(encoding.vocabulary()::text))
            .as("%s of %s", text, merges)
            .containsExactlyElementsOf(expected);
      }
    }
  }

  @Test
  void mergesOutOfOrderAreCountedAsDead() {
    var merges = new ArrayList<>(List.of("b c", "a bc", "abc d"));
    assertThat(Vocabularies.ofMerges(directory, "gpt-2", merges).deadMerges()).isZero();
    merges.addFirst("a b");
    assertThat(Vocabularies.ofMerges(directory, "gpt-2", merges).deadMerges()).isEqualTo(2);
    merges.add("a b");
    assertThat(Vocabularies.ofMerges(directory, "gpt-2", merges).deadMerges()).isEqualTo(3);
  }

  @Test
  void missingBytesAreLeftOut() {
    var tokens = List.of("a", "b", "ab");
    GgufFile file =
        Vocabularies.bpe("gpt-2", tokens, new int[] {1, 1, 1}, List.of("a b", "b b"))
            .read(directory);
    BpeEncoding encoding = BpeEncoding.of(GgufVocabulary.of(file));
    assertThat(encoding.encode("abzéab", false)).containsExactly(2, 2);
    assertThat(encoding.encode("bb", false)).as("a merge without a token").containsExactly(1, 1);
  }

  @Test
  void whatCannotBeEncodedSaysWhy() {
    assertUnsupported(
        new GgufBytes().text("tokenizer.ggml.model", "llama").texts("tokenizer.ggml.tokens", "a"),
        "tokenizer llama is not byte-level BPE (gpt2)");
    assertUnsupported(
        new GgufBytes().text("tokenizer.ggml.model", "gpt2").texts("tokenizer.ggml.tokens", "a"),
        "the vocabulary lists no merges");
    assertUnsupported(
        Vocabularies.bpe("nonsense", List.of("a"), new int[] {1}, List.of()),
        "unknown pre-tokenizer \"nonsense\"");
    assertUnsupported(
        Vocabularies.bpe("kimi-k2", List.of("a"), new int[] {1}, List.of()),
        "pre-tokenizer kimi-k2 splits Han letters in a way of its own");
    assertUnsupported(
        Vocabularies.bpe("gpt-2", List.of("a"), new int[] {1}, List.of("a " + "b".repeat(2000))),
        "merge 0 makes a token of 2001 bytes");
  }

  private void assertUnsupported(GgufBytes file, String reason) {
    GgufVocabulary vocabulary = GgufVocabulary.of(file.read(directory));
    assertThatThrownBy(() -> BpeEncoding.of(vocabulary))
        .isInstanceOf(UnsupportedTokenizer.class)
        .hasMessage(reason);
  }

  private static BpeEncoding model(String name) {
    return BpeEncoding.of(GgufVocabulary.of(GgufFile.read(Path.of("models", name + ".gguf"))));
  }

  private static String randomText(Random random) {
    var text = new StringBuilder();
    for (int n = random.nextInt(60); n > 0; n--) {
      int limit = new int[] {0x80, 0x800, 0x10000, 0x20000}[random.nextInt(4)];
      text.appendCodePoint(random.nextInt(limit));
    }
    // unpaired surrogates have no bytes of their own
    return new String(text.toString().getBytes(StandardCharsets.UTF_8), StandardCharsets.UTF_8);
  }

  /** Pairs of letters and of earlier results, shuffled now and then. */
  private static List<String> randomMerges(Random random) {
    var symbols = new ArrayList<>(List.of("a", "b", "c"));
    var merges = new ArrayList<String>();
    for (int i = 0; i < 25; i++) {
      String left = symbols.get(random.nextInt(symbols.size()));
      String right = symbols.get(random.nextInt(symbols.size()));
      if (left.length() + right.length() <= 8) {
        merges.add(left + " " + right);
        symbols.add(left + right);
      }
    }
    if (random.nextBoolean()) {
      Collections.shuffle(merges, random);
    }
    return merges;
  }

  private static List<String> mergedByDefinition(String text, List<String> merges) {
    var parts = new ArrayList<>(List.of(text.split("")));
    while (true) {
      int best = Integer.MAX_VALUE;
      int at = -1;
      for (int i = 0; i + 1 < parts.size(); i++) {
        int rank = merges.indexOf(parts.get(i) + " " + parts.get(i + 1));
        if (rank >= 0 && rank < best) {
          best = rank;
          at = i;
        }
      }
      if (at < 0) {
        return parts;
      }
      parts.set(at, parts.get(at) + parts.remove(at + 1));
    }
  }
}
