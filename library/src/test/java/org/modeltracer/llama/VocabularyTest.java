package org.modeltracer.llama;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.testing.Golden;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class VocabularyTest {
  private static final String RUNTIMES = "org.modeltracer.llama.Runtimes#all";
  private static final ModelOptions WORDS = ModelOptions.defaults().withVocabularyOnly(true);

  private static LlamaModel open(LlamaRuntime runtime, String file) {
    return runtime.open(Golden.model(file), WORDS);
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void tokensOfThePromptsAreThoseOfTheReference(LlamaRuntime runtime) {
    for (String file : new String[] {"tinyllama-mha-f32.gguf", "tinyllama-gqa-f16.gguf"}) {
      try (LlamaModel model = open(runtime, file)) {
        Vocabulary vocabulary = model.vocabulary();
        for (JsonNode prompt : Golden.prompts()) {
          String text = prompt.get("text").asString();
          int[] ids = JsonMapper.shared().treeToValue(prompt.get("ids"), int[].class);
          String name = prompt.get("name").asString();
          if (!name.startsWith("repeat")) {
            assertThat(vocabulary.tokenize(text, true, false)).as(name).isEqualTo(ids);
          }
          // The repeats are random tokens, which no text need split into; their text is fixed.
          assertThat(vocabulary.detokenize(ids, false)).as(name).isEqualTo(text);
          for (int i = 0; i < ids.length; i++) {
            String entry = prompt.get("tokens").get(i).asString();
            assertThat(vocabulary.entry(ids[i])).as(name).isEqualTo(entry);
          }
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void specialTokens(LlamaRuntime runtime) {
    try (LlamaModel model = open(runtime, Passes.MHA)) {
      Vocabulary vocabulary = model.vocabulary();
      assertThat(vocabulary.size()).isEqualTo(384);
      assertThat(vocabulary.usable()).isTrue();
      assertThat(vocabulary.bos()).isZero();
      assertThat(vocabulary.eos()).isEqualTo(1);
      assertThat(vocabulary.addsBos()).isTrue();
      assertThat(vocabulary.endsGeneration(1)).isTrue();
      assertThat(vocabulary.endsGeneration(53)).isFalse();
      assertThat(vocabulary.isControl(0)).isTrue();
      assertThat(vocabulary.isControl(53)).isFalse();
      assertThat(vocabulary.text(0)).isEqualTo("<|bos|>");
      assertThat(vocabulary.piece(0, false)).isEmpty();
      assertThat(vocabulary.tokenize("<|bos|>The", false, true)).containsExactly(0, 53, 260);
      assertThat(vocabulary.tokenize("<|bos|>The", false, false)).hasSizeGreaterThan(3);
      assertThat(vocabulary.tokenize("", true, false)).containsExactly(0);
      assertThat(vocabulary.tokenize("", false, false)).isEmpty();
    }
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void anyTextComesBackFromItsTokens(LlamaRuntime runtime) {
    var random = new Random(7);
    try (LlamaModel model = open(runtime, Passes.MHA)) {
      for (int round = 0; round < 50; round++) {
        String text =
            random
                .ints(1 + random.nextInt(200), 1, 0x2FFF)
                .mapToObj(Character::toString)
                .reduce("", String::concat);
        int[] ids = model.vocabulary().tokenize(text, true, false);
        assertThat(model.vocabulary().detokenize(ids, false)).isEqualTo(text);
      }
    }
  }

  /** Longer than the room guessed first, so that the second call is made. */
  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void aTextOfManyTokens(LlamaRuntime runtime) {
    String text = "\uD83D\uDE00 caf\u00e9 ".repeat(2000);
    try (LlamaModel model = open(runtime, Passes.MHA)) {
      int[] ids = model.vocabulary().tokenize(text, false, false);
      assertThat(model.vocabulary().detokenize(ids, false)).isEqualTo(text);
      assertThat(ids).hasSizeGreaterThan(2000);
      int byteTokens = 0;
      for (int id : ids) {
        byteTokens += model.vocabulary().piece(id, false).length;
      }
      assertThat(byteTokens).isEqualTo(text.getBytes(StandardCharsets.UTF_8).length);
    }
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void aTokenOutsideTheVocabularyIsRefusedEverywhere(LlamaRuntime runtime) {
    try (LlamaModel model = open(runtime, Passes.MHA)) {
      Vocabulary vocabulary = model.vocabulary();
      for (int token : new int[] {-1, 384, Integer.MIN_VALUE, Integer.MAX_VALUE}) {
        String message = "token " + token + " is outside the vocabulary of 384 tokens";
        assertThatThrownBy(() -> vocabulary.piece(token, true)).hasMessage(message);
        assertThatThrownBy(() -> vocabulary.entry(token)).hasMessage(message);
        assertThatThrownBy(() -> vocabulary.text(token)).hasMessage(message);
        assertThatThrownBy(() -> vocabulary.isControl(token)).hasMessage(message);
        assertThatThrownBy(() -> vocabulary.endsGeneration(token)).hasMessage(message);
        assertThatThrownBy(() -> vocabulary.detokenize(new int[] {5, token}, true))
            .isInstanceOfSatisfying(
                LlamaException.class,
                e -> assertThat(e.kind()).isEqualTo(LlamaException.Kind.ARGUMENT))
            .hasMessage(message);
      }
    }
  }
}
