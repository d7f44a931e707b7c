package org.modeltracer.tokens;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.gguf.GgufBytes;
import org.modeltracer.gguf.GgufFile;

class GgufVocabularyTest {
  @TempDir Path directory;

  @Test
  void aTrainedModel() {
    var vocabulary = GgufVocabulary.of(GgufFile.read(Path.of("models", "tinyllama-mha-f16.gguf")));
    assertThat(vocabulary.size()).isEqualTo(384);
    assertThat(vocabulary.model()).isEqualTo("gpt2");
    assertThat(vocabulary.pre()).contains("gpt-2");
    assertThat(vocabulary.bos()).hasValue(0);
    assertThat(vocabulary.eos()).hasValue(1);
    assertThat(vocabulary.unk()).isEmpty();
    assertThat(vocabulary.addBos()).contains(true);
    assertThat(vocabulary.addEos()).contains(false);
    assertThat(vocabulary.type(0)).isEqualTo(TokenType.CONTROL);
    assertThat(vocabulary.type(53)).isEqualTo(TokenType.NORMAL);
    assertThat(vocabulary.text(263)).isEqualTo("Ġthe");
    assertThat(vocabulary.bytes(263)).isEqualTo(" the".getBytes(StandardCharsets.UTF_8));
    assertThat(vocabulary.decode(0, 53, 260)).isEqualTo("<|bos|>The");
    assertThat(vocabulary.merges().orElseThrow()).hasSize(126).startsWith("Ġ t", "Ġ a");
    assertThatThrownBy(() -> vocabulary.text(384)).isInstanceOf(IndexOutOfBoundsException.class);
  }

  @Test
  void everyByteHasALetterOfItsOwn() {
    for (int b = 0; b < 256; b++) {
      assertThat(ByteAlphabet.byteOf(ByteAlphabet.letter(b))).isEqualTo(b);
    }
    assertThat(ByteAlphabet.write(" \n\0".getBytes(StandardCharsets.UTF_8))).isEqualTo("ĠĊĀ");
    assertThat(ByteAlphabet.byteOf('中')).isNegative();
    assertThat(ByteAlphabet.byteOf(' ')).isNegative();
  }

  @Test
  void sentencePieceWritesSpacesAndBytesInItsOwnWay() {
    var numbers = new byte[][] {u32(2), u32(3), u32(3), u32(1), u32(6), u32(5), u32(0), u32(9)};
    GgufFile file =
        new GgufBytes()
            .text("tokenizer.ggml.model", "llama")
            .texts("tokenizer.ggml.tokens", "<unk>", "<s>", "</s>", "▁a▁", "<0xE2>", "u", "n", "x")
            .array("tokenizer.ggml.token_type", 5, 8, numbers)
            .read(directory);
    var vocabulary = GgufVocabulary.of(file);
    assertThat(vocabulary.bos()).hasValue(1);
    assertThat(vocabulary.eos()).hasValue(2);
    assertThat(vocabulary.unk()).hasValue(0);
    assertThat(vocabulary.decode(3)).isEqualTo(" a ");
    assertThat(vocabulary.bytes(4)).containsExactly(0xe2);
    assertThat(vocabulary.bytes(5)).as("unused").isEmpty();
    assertThat(vocabulary.bytes(7)).as("no known type").isEmpty();
    assertThat(vocabulary.type(4)).isEqualTo(TokenType.BYTE);
  }

  @Test
  void controlTokensAreKnownByTheirText() {
    var tokens =
        List.of("<|im_end|>", "<|end|>", "<|call|>", "<|return|>", "<|start|>", "<PRE>", "");
    var file = Vocabularies.bpe("gpt-2", tokens, new int[] {1, 1, 1, 1, 3, 1, 1}, List.of());
    file.u32("tokenizer.ggml.bos_token_id", 900);
    var vocabulary = GgufVocabulary.of(file.read(directory));
    assertThat(vocabulary.type(0)).isEqualTo(TokenType.CONTROL);
    assertThat(vocabulary.type(1)).as("harmony").isEqualTo(TokenType.USER_DEFINED);
    assertThat(vocabulary.type(4)).isEqualTo(TokenType.USER_DEFINED);
    assertThat(vocabulary.type(5)).isEqualTo(TokenType.CONTROL);
    assertThat(vocabulary.text(6)).isEqualTo("[EMPTY_6]");
    assertThat(vocabulary.bos()).as("no such token").isEmpty();
  }

  @Test
  void noVocabularySaysSo() {
    assertThatThrownBy(() -> GgufVocabulary.of(new GgufBytes().read(directory)))
        .isInstanceOf(UnsupportedTokenizer.class)
        .hasMessage("the file names no tokenizer");
    var none = new GgufBytes().text("tokenizer.ggml.model", "no_vocab").read(directory);
    assertThatThrownBy(() -> GgufVocabulary.of(none))
        .hasMessage("tokenizer no_vocab lists no tokens");
  }

  private static byte[] u32(int value) {
    return GgufBytes.u32(value);
  }
}
