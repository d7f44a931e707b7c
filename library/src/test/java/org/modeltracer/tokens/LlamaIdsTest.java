package org.modeltracer.tokens;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.Stream;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.gguf.GgufFile;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Ids that llama_tokenize of llama.cpp v0.5.0 gave for one vocabulary under many pre-tokenizers.
 *
 * <p>The vocabulary was trained without any pre-tokenizer, so that its merges reach across every
 * kind of boundary: a word that ends in the wrong place shows.
 */
class LlamaIdsTest {
  private static final Path FIXTURES = Path.of("test-fixtures", "tokenizers");

  @TempDir static Path directory;

  private static JsonNode golden;
  private static GgufFile mixed;

  @BeforeAll
  static void read() throws IOException {
    golden = readGolden();
    Path file = directory.resolve("mixed-bpe.gguf");
    try (var in =
        new GZIPInputStream(Files.newInputStream(FIXTURES.resolve("mixed-bpe.gguf.gz")))) {
      Files.copy(in, file);
    }
    mixed = GgufFile.read(file);
  }

  private static JsonNode readGolden() throws IOException {
    try (var in =
        new GZIPInputStream(Files.newInputStream(FIXTURES.resolve("llama-ids.json.gz")))) {
      return JsonMapper.shared().readTree(in);
    }
  }

  static Stream<String> names() throws IOException {
    return readGolden().get("ids").propertyNames().stream();
  }

  @ParameterizedTest
  @MethodSource("names")
  void agree(String pre) {
    BpeEncoding encoding = under(pre);
    JsonNode texts = golden.get("texts");
    assertThat(texts.size()).isGreaterThan(60);
    for (int i = 0; i < texts.size(); i++) {
      String text = texts.get(i).asString();
      JsonNode ids = golden.get("ids").get(pre).get(i);
      assertThat(encoding.encode(text, true, true)).as(text).isEqualTo(ids(ids.get(0)));
      assertThat(encoding.encode(text, false, false)).as(text).isEqualTo(ids(ids.get(1)));
    }
  }

  /** Had the vocabulary no merges across boundaries, the test above would not tell them apart. */
  @Test
  void preTokenizersDiffer() {
    long distinct =
        golden.get("ids").propertyStream().map(e -> e.getValue().toString()).distinct().count();
    assertThat(distinct).isGreaterThanOrEqualTo(25);
  }

  @Test
  void everyPreTokenizerKeepsTheText() {
    var random = new Random(11);
    for (String name : PreTokenizers.names()) {
      for (JsonNode text : golden.get("texts")) {
        assertThat(String.join("", PreTokenizers.named(name).split(text.asString())))
            .isEqualTo(text.asString());
      }
      var letters = new StringBuilder();
      random.ints(20_000, 0, 26).forEach(i -> letters.append((char) ('a' + i)));
      assertThat(PreTokenizers.named(name).split(letters.toString()))
          .as("long words overflow no stack")
          .isNotEmpty();
    }
  }

  private static BpeEncoding under(String pre) {
    var metadata = mixed.metadata();
    long[] types = metadata.integers("tokenizer.ggml.token_type").orElseThrow();
    var file =
        Vocabularies.bpe(
            pre,
            metadata.strings("tokenizer.ggml.tokens").orElseThrow(),
            Arrays.stream(types).mapToInt(Math::toIntExact).toArray(),
            metadata.strings("tokenizer.ggml.merges").orElseThrow());
    file.u32("tokenizer.ggml.bos_token_id", 0).u32("tokenizer.ggml.eos_token_id", 1);
    return BpeEncoding.of(GgufVocabulary.of(file.read(directory)));
  }

  private static int[] ids(JsonNode node) {
    return JsonMapper.shared().convertValue(node, int[].class);
  }
}
