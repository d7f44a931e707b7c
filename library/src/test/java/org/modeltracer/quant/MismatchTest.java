package org.modeltracer.quant;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.modeltracer.gguf.GgufBytes;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.llama.LlamaException;
import org.modeltracer.testing.Golden;

class MismatchTest {
  @TempDir private Path folder;

  private static GgufFile file(String name) {
    return GgufFile.read(Golden.model(name));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "tinyllama-mha-f32.gguf | rand-gpt2-f32.gguf | architecture gpt2 against llama",
        "tinyllama-mha-f32.gguf | tinyllama-gqa-f16.gguf"
            + " | width 256 against 128, feed-forward width 256 against 384, heads 8 against 4,"
            + " key/value heads 2 against 4",
      })
  void saysWhatDiffers(String reference, String other, String expected) {
    assertThat(Mismatch.of(file(reference), file(other))).hasValue(expected);
  }

  @Test
  void quantizationsOfOneModelMatch() {
    for (String type : new String[] {"f32", "f16", "Q8_0", "Q4_0"}) {
      assertThat(
              Mismatch.of(file("tinyllama-mha-f32.gguf"), file("tinyllama-mha-" + type + ".gguf")))
          .isEmpty();
    }
  }

  @Test
  void theFirstTokenThatDiffersIsNamed() {
    GgufFile base = file("tinyllama-mha-f32.gguf");
    List<String> tokens = base.metadata().strings("tokenizer.ggml.tokens").orElseThrow();
    String token = Collections.max(tokens, Comparator.comparingInt(String::length));
    byte[] old = entry(token);
    assertThat(token).hasSizeGreaterThan(3).matches("\\p{ASCII}+");
    byte[] other = entry("#".repeat(token.length()));
    Path changed =
        new Edited(base.path()).replace(old, other).write(folder.resolve("vocabulary.gguf"));
    assertThat(Mismatch.of(base, GgufFile.read(changed)))
        .hasValue(
            "token "
                + tokens.indexOf(token)
                + " '"
                + "#".repeat(token.length())
                + "' against '"
                + token
                + "'");
  }

  private static byte[] entry(String token) {
    return GgufBytes.join(
        GgufBytes.u64(token.getBytes(StandardCharsets.UTF_8).length),
        token.getBytes(StandardCharsets.UTF_8));
  }

  private Path gguf(String name, int layers, String[] tokens, long... shape) throws Exception {
    GgufBytes bytes =
        new GgufBytes()
            .text("general.architecture", "llama")
            .u32("llama.block_count", layers)
            .texts("tokenizer.ggml.tokens", tokens)
            .tensor("blk.0.ffn_up.weight", shape);
    return Files.write(folder.resolve(name), bytes.bytes());
  }

  @Test
  void layersVocabularySizesAndShapesOfWeightsAreCompared() throws Exception {
    String[] tokens = {"a", "b", "c"};
    GgufFile base = GgufFile.read(gguf("base", 2, tokens, 8, 4));
    assertThat(Mismatch.of(base, GgufFile.read(gguf("layers", 3, tokens, 8, 4))))
        .hasValue("layers 3 against 2");
    assertThat(Mismatch.of(base, GgufFile.read(gguf("fewer", 2, new String[] {"a", "b"}, 8, 4))))
        .hasValue("vocabulary of 2 tokens against 3");
    assertThat(Mismatch.of(base, GgufFile.read(gguf("shape", 2, tokens, 4, 8))))
        .hasValue("shape of blk.0.ffn_up.weight [4, 8] against [8, 4]");
    assertThat(Mismatch.of(base, GgufFile.read(gguf("same", 2, tokens, 8, 4))))
        .isEqualTo(Optional.empty());
  }

  @Test
  void aComparisonOfTwoModelsIsRefused() {
    Setup one = Setup.of(Golden.model("tinyllama-mha-f32.gguf"));
    Setup two = Setup.of(Golden.model("tinyllama-gqa-f16.gguf"));
    assertThatThrownBy(() -> Comparison.open(one, two))
        .isInstanceOf(LlamaException.class)
        .hasMessageStartingWith(
            "tinyllama-gqa-f16.gguf and tinyllama-mha-f32.gguf are not the same model: width 256");
  }
}
