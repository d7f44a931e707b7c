package org.modeltracer.gguf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A small sound model, spoiled in one respect at a time. */
class LoadChecksTest {
  @TempDir Path directory;

  private int blocks = 2;
  private int heads = 4;
  private int kvHeads = 2;
  private int width = 8;
  private int tokens = 3;
  private Consumer<GgufBytes> headCount = file -> file.u32("toy.attention.head_count", heads);
  private Consumer<GgufBytes> more = file -> {};
  private Consumer<GgufBytes> perLayerKvHeads =
      file -> file.u32("toy.attention.head_count_kv", kvHeads);
  private String query = "attn_q";

  @Test
  void theUnspoiledModelIsSound() {
    assertThat(LoadChecks.problems(model())).isEmpty();
  }

  @Test
  void blockCount() {
    blocks = 3;
    assertProblem(
        "toy.block_count is 3: it needs tensors of layers 0 to 2, but the file has those"
            + " of 2 layers, none of layer 2");
    blocks = 1;
    assertProblem("toy.block_count is 1: it is less than the 2 layers the file has tensors of");
    blocks = 0;
    assertProblem("toy.block_count is 0: it must be 1 to 512");
    blocks = 3;
    more = file -> file.u32("toy.nextn_predict_layers", 1);
    assertThat(LoadChecks.problems(model())).as("an optional layer").isEmpty();
  }

  @Test
  void dataOutOfLine() {
    int outOfLine = 0;
    for (int length = 0; length < 32; length++) {
      String text = "x".repeat(length);
      more = file -> file.u32("general.alignment", 8).align(8).text("toy.text", text);
      GgufFile model = model();
      var problems = LoadChecks.problems(model);
      assertThat(problems).hasSize(model.dataOffset() % 32 == 0 ? 0 : 1);
      for (LoadChecks.Problem problem : problems) {
        outOfLine++;
        assertThat(problem.message())
            .startsWith("general.alignment is 8: it puts the tensor data at byte ")
            .contains(model.dataOffset() + ", no multiple of 32 (byte ");
      }
    }
    assertThat(outOfLine).isEqualTo(24);
  }

  @Test
  void normsAddNothingBelowZero() {
    for (float epsilon : new float[] {-1, Float.NaN}) {
      byte[] bits = GgufBytes.u32(Float.floatToIntBits(epsilon));
      more = file -> file.pair("toy.attention.layer_norm_rms_epsilon", 6, bits);
      assertProblem("toy.attention.layer_norm_rms_epsilon is " + epsilon + ": it must be 0 to 1");
    }
    more = file -> file.pair("toy.attention.layer_norm_epsilon", 6, GgufBytes.u32(0));
    assertThat(LoadChecks.problems(model())).isEmpty();
  }

  @Test
  void numbersLieInTheRangeOfTheirKey() {
    for (String key :
        new String[] {
          "rope.freq_base",
          "rope.freq_base_swa",
          "rope.scaling.factor",
          "final_logit_softcapping",
          "attention.scale",
          "residual_scale",
          "anything.unknown"
        }) {
      for (float value :
          new float[] {Float.NEGATIVE_INFINITY, Float.POSITIVE_INFINITY, Float.NaN}) {
        more = file -> file.pair("toy." + key, 6, GgufBytes.u32(Float.floatToIntBits(value)));
        assertThat(LoadChecks.problems(model())).as(key + " " + value).hasSize(1);
      }
      more = file -> file.pair("toy." + key, 6, GgufBytes.u32(Float.floatToIntBits(1.5f)));
      assertThat(LoadChecks.problems(model())).as(key).isEmpty();
    }
    more = file -> file.pair("toy.rope.freq_base", 6, GgufBytes.u32(Float.floatToIntBits(-1)));
    assertProblem("toy.rope.freq_base is -1.0: it must be 0.001 to 1.0E15");
  }

  @Test
  void heads() {
    heads = 0;
    assertProblem("toy.attention.head_count is 0: it must be over 0, layer 0 attends");
    query = "ssm_in";
    assertThat(LoadChecks.problems(model())).as("no layer attends").isEmpty();
    query = "attn_qkv";
    heads = 3;
    kvHeads = 2;
    assertProblem("toy.attention.head_count_kv is 2: it does not divide the 3 heads of layer 0");
    kvHeads = 0;
    assertProblem("toy.attention.head_count_kv is 0: it must be over 0, layer 0 attends");
    kvHeads = 3;
    assertProblem(
        "toy.embedding_length is 8: it is no multiple of the 3 heads, and"
            + " attention.key_length is not given");
    more = file -> file.u32("toy.attention.key_length", 5);
    assertThat(LoadChecks.problems(model())).isEmpty();
  }

  @Test
  void headsLayerByLayer() {
    headCount =
        file -> file.array("toy.attention.head_count", 4, 2, GgufBytes.u32(0), GgufBytes.u32(4));
    assertThat(LoadChecks.problems(model())).isEmpty();
    headCount = file -> file.array("toy.attention.head_count", 4, 1, GgufBytes.u32(4));
    assertProblem(
        "toy.attention.head_count is [1 × uint32]: it must be a number of heads, or one"
            + " for each of the 2 layers");
    headCount = file -> file.text("toy.attention.head_count", "4");
    assertProblem("toy.attention.head_count is 4: it must be a number of heads");
    headCount = file -> {};
    assertThat(LoadChecks.problems(model()))
        .extracting(LoadChecks.Problem::message)
        .containsExactly(
            "toy.attention.head_count is missing: it must be a number of heads, or one"
                + " for each of the 2 layers");
  }

  @Test
  void noKeyValueHeadsWhereThereAreKeys() {
    byte[] none = GgufBytes.join(GgufBytes.u32(2), GgufBytes.u32(0));
    String key = "toy.attention.head_count_kv";
    perLayerKvHeads = file -> file.array(key, 4, 2, none);
    assertThat(LoadChecks.problems(model())).as("a layer without keys").isEmpty();
    more = file -> file.tensor("blk.1.attn_k.weight", 8, 4);
    assertProblem(
        "toy.attention.head_count_kv of layer 1 is 0, but blk.1.attn_k.weight makes 4 values of 2");
  }

  @Test
  void normsAndBiasesAreF32() {
    for (String name : new String[] {"blk.1.ffn_norm.weight", "blk.0.attn_q.bias"}) {
      more = file -> file.line(name, 1, 96, 8).pad(32);
      assertThat(LoadChecks.problems(model()))
          .extracting(LoadChecks.Problem::message)
          .containsExactly(
              name
                  + " is f16, llama.cpp needs f32 there: convert the model again, norms and biases"
                  + " in f32");
    }
    more = file -> file.line("blk.1.ssm_conv1d.weight", 1, 96, 8).pad(32);
    assertThat(LoadChecks.problems(model())).isEmpty();
  }

  @Test
  void widthAndVocabulary() {
    width = 16;
    assertProblem("toy.embedding_length is 16: it differs from the width of token_embd.weight, 8");
    width = 8;
    tokens = 4;
    assertProblem(
        "tokenizer.ggml.tokens is [4 × string]: it has 4 tokens, token_embd.weight has 3"
            + " rows");
  }

  @Test
  void arraysOfTheVocabulary() {
    more = file -> file.array("tokenizer.ggml.scores", 6, 2, new byte[8]);
    assertProblem("tokenizer.ggml.scores is [2 × float32]: it must be an array of ");
    more = file -> file.array("tokenizer.ggml.token_type", 4, 3, new byte[12]);
    assertProblem("tokenizer.ggml.token_type is [3 × uint32]: it must be an array of [int32]");
    more = file -> file.text("tokenizer.ggml.merges", "a b");
    assertProblem("tokenizer.ggml.merges is a b: it must be an array of strings");
  }

  @Test
  void experts() {
    more = file -> file.u32("toy.expert_count", 4).u32("toy.expert_used_count", 5);
    assertProblem("toy.expert_used_count is 5: it must be at most the expert_count, 4");
    more = file -> file.u32("toy.expert_count", 4);
    assertThat(LoadChecks.problems(model()))
        .singleElement()
        .extracting(LoadChecks.Problem::message)
        .isEqualTo("toy.expert_used_count is missing: it must be over 0, the model has 4 experts");
    more = file -> file.u32("toy.expert_count", 4).u32("toy.expert_used_count", 2);
    assertThat(LoadChecks.problems(model())).isEmpty();
  }

  @Test
  void expertsWhereTheArchitectureIsOfThem() {
    var file =
        new GgufBytes()
            .text("general.architecture", "llada-moe")
            .u32("llada-moe.expert_count", 0)
            .read(directory);
    assertThat(LoadChecks.problems(file))
        .extracting(LoadChecks.Problem::message)
        .anyMatch(m -> m.startsWith("llada-moe.expert_count is 0: it must be over 0 in this arch"));
  }

  @Test
  void groupsOfExpertsAndTheirGate() {
    more =
        file ->
            file.u32("toy.expert_count", 4)
                .u32("toy.expert_used_count", 2)
                .u32("toy.expert_group_count", 3);
    assertProblem("toy.expert_group_count is 3: it must be below the expert_count, 4, and divide");
    more = file -> file.u32("toy.expert_group_count", 31);
    assertProblem("toy.expert_group_count is 31: it must be below the expert_count, 0, and divide");
    more =
        file ->
            file.u32("toy.expert_count", 4)
                .u32("toy.expert_used_count", 2)
                .u32("toy.expert_group_count", 2)
                .u32("toy.expert_group_used_count", 2);
    assertProblem("toy.expert_group_used_count is 2: it must be 1 to 1, below the expert_group");
    more = file -> file.u32("toy.expert_gating_func", 99);
    assertProblem("toy.expert_gating_func is 99: it must be 0 to 4");
  }

  @Test
  void whatLlamaAssertsOfPositionsAndLayers() {
    more = file -> file.u32("toy.rope.dimension_count", 1);
    assertProblem("toy.rope.dimension_count is 1: it must be even");
    more = file -> file.text("toy.rope.scaling.type", "sideways");
    assertProblem("toy.rope.scaling.type is sideways: it must be one of none, linear, yarn");
    more = file -> file.u32("toy.nextn_predict_layers", 2);
    assertProblem("toy.nextn_predict_layers is 2: it must be below the block_count, 2");
    more = file -> file.u32("toy.token_type_count", 2_000_000_000);
    assertProblem("toy.token_type_count is 2000000000: it must be 0 to 65536");
  }

  @Test
  void whatIsTurnedIsPartOfAHead() {
    more = file -> file.u32("toy.rope.dimension_count", 4);
    assertProblem("toy.rope.dimension_count is 4: it must be at most the width of a head, 2");
    more = file -> file.u32("toy.rope.dimension_count", 4).u32("toy.attention.key_length", 4);
    assertThat(LoadChecks.problems(model())).isEmpty();
    more =
        file ->
            file.u32("toy.rope.dimension_count", 6)
                .u32("toy.attention.key_length", 16)
                .u32("toy.attention.key_length_mla", 4);
    assertProblem("toy.rope.dimension_count is 6: it must be at most the width of a head, 4");
    byte[] scale = GgufBytes.u32(Float.floatToIntBits(0.5f));
    more =
        file ->
            file.pair("toy.attention.temperature_scale", 6, scale)
                .u32("toy.attention.temperature_length", 0);
    assertProblem("toy.attention.temperature_length is 0: it must be over 0, ");
  }

  @Test
  void headsInTwoParts() {
    var file =
        new GgufBytes()
            .text("general.architecture", "deepseek2")
            .u32("deepseek2.attention.key_length", 8)
            .read(directory);
    assertThat(LoadChecks.problems(file))
        .extracting(LoadChecks.Problem::message)
        .contains(
            "deepseek2.rope.dimension_count is missing: it must be below the width of a head, 8");
  }

  @Test
  void stateIsAsWideAsItsLayers() {
    more = file -> file.u32("toy.ssm.inner_size", 4).tensor("blk.0.ssm_out.weight", 8, 8);
    assertProblem("toy.ssm.inner_size is 4: it differs from the width of blk.0.ssm_out.weight, 8");
    more = file -> file.u32("toy.ssm.inner_size", 8).tensor("blk.0.ssm_out.weight", 8, 8);
    assertThat(LoadChecks.problems(model())).isEmpty();
  }

  @Test
  void jambasStateIsTwiceAsWideAsItsStream() {
    var file =
        new GgufBytes()
            .text("general.architecture", "jamba")
            .u32("jamba.embedding_length", 8)
            .u32("jamba.ssm.inner_size", 8)
            .read(directory);
    assertThat(LoadChecks.problems(file))
        .extracting(LoadChecks.Problem::message)
        .anyMatch(
            m -> m.startsWith("jamba.ssm.inner_size is 8: it must be twice the embedding_le"));
  }

  @Test
  void weightsAreNoWholeNumbers() {
    for (int type : new int[] {24, 25, 26, 27, 28}) {
      more = file -> file.line("blk.1.ffn_up.weight", type, 96, 8).pad(type > 26 ? 64 : 32);
      assertThat(LoadChecks.problems(model()))
          .singleElement()
          .extracting(LoadChecks.Problem::message)
          .asString()
          .contains("which llama.cpp cannot multiply with");
    }
  }

  @Test
  void anEmptyFileLacksEverything() {
    assertThat(LoadChecks.problems(new GgufBytes().read(directory)))
        .singleElement()
        .isEqualTo(
            new LoadChecks.Problem(
                "general.architecture",
                "general.architecture is missing: it names no architecture",
                GgufException.NOWHERE));
    var named = new GgufBytes().text("general.architecture", "toy").read(directory);
    assertThat(LoadChecks.problems(named))
        .extracting(LoadChecks.Problem::key)
        .containsExactly(
            "toy.block_count",
            "toy.embedding_length",
            "toy.context_length",
            "token_embd.weight",
            "tokenizer.ggml.model");
  }

  @Test
  void aTokenTwice() {
    var file =
        new GgufBytes()
            .text("general.architecture", "toy")
            .text("tokenizer.ggml.model", "gpt2")
            .texts("tokenizer.ggml.tokens", "a", "", "", "b", "a")
            .read(directory);
    assertThat(LoadChecks.problems(file))
        .extracting(LoadChecks.Problem::message)
        .anyMatch(message -> message.contains("it has token \"a\" twice, as 0 and 4 (byte "));
  }

  private void assertProblem(String message) {
    GgufFile file = model();
    assertThat(LoadChecks.problems(file))
        .singleElement()
        .satisfies(
            problem -> {
              assertThat(problem.message())
                  .startsWith(message)
                  .endsWith(" (byte " + problem.offset() + ")");
              assertThat(file.metadata().offset(problem.key())).hasValue(problem.offset());
            });
    assertThatThrownBy(() -> LoadChecks.require(file)).hasMessageStartingWith(message);
  }

  private GgufFile model() {
    var names = new String[tokens];
    for (int i = 0; i < tokens; i++) {
      names[i] = "token" + i;
    }
    var file =
        new GgufBytes()
            .text("general.architecture", "toy")
            .u32("toy.block_count", blocks)
            .u32("toy.context_length", 16)
            .u32("toy.embedding_length", width)
            .text("tokenizer.ggml.model", "gpt2")
            .texts("tokenizer.ggml.tokens", names)
            .tensor("token_embd.weight", 8, 3);
    headCount.accept(file);
    perLayerKvHeads.accept(file);
    more.accept(file);
    for (int layer = 0; layer < 2; layer++) {
      file.tensor("blk." + layer + "." + query + ".weight", 8, 8);
    }
    return file.read(directory);
  }
}
