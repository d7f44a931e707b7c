package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.gguf.GgufBytes;
import org.modeltracer.testing.Sample;
import tools.jackson.databind.JsonNode;

/** GGUF files that are no language models: read, scanned, named, and not run. */
class OtherKindsTest {
  @TempDir Path folder;

  static List<Arguments> kinds() {
    return Sample.of(all().toList(), 4);
  }

  private static Stream<Arguments> all() {
    return Stream.of(
        Arguments.of(
            "projector",
            "a multimodal projector (general.type mmproj), not a language model",
            new GgufBytes()
                .text("general.architecture", "clip")
                .text("general.type", "mmproj")
                .tensor("v.blk.0.attn_q.weight", 64, 64)),
        Arguments.of(
            "projector",
            "a multimodal projector (general.architecture clip), not a language model",
            new GgufBytes().text("general.architecture", "clip").tensor("mm.0.weight", 64, 8)),
        Arguments.of(
            "adapter",
            "a LoRA adapter (general.type adapter), not a language model",
            new GgufBytes()
                .text("general.architecture", "llama")
                .text("general.type", "adapter")
                .text("adapter.type", "lora")
                .tensor("blk.0.attn_q.weight.lora_a", 256, 8)),
        Arguments.of(
            "importance_matrix",
            "an importance matrix (general.type imatrix), not a language model",
            new GgufBytes()
                .text("general.type", "imatrix")
                .tensor("blk.0.attn_q.weight.in_sum2", 256, 1)),
        Arguments.of(
            "control_vector",
            "a control vector (general.architecture controlvector), not a language model",
            new GgufBytes()
                .text("general.architecture", "controlvector")
                .tensor("direction.1", 256)),
        Arguments.of(
            "other",
            "another kind of model (general.architecture flux): llama.cpp does not run it",
            new GgufBytes()
                .text("general.architecture", "flux")
                .tensor("double_blocks.0.img_attn.qkv.weight", 64, 192)),
        Arguments.of(
            "other",
            "another kind of model (it names no architecture)",
            new GgufBytes().tensor("encoder.conv1.weight", 3, 8)));
  }

  /** A file whose data are small numbers, the first of them as given. */
  private Path write(GgufBytes file, float first) throws IOException {
    byte[] bytes = file.bytes();
    int header = file.header().length;
    var data = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    int from = header + Math.floorMod(-header, 32);
    for (int at = from; at + 4 <= bytes.length; at += 4) {
      data.putFloat(at, at == from ? first : 0.1f);
    }
    return Files.write(folder.resolve("file.gguf"), bytes);
  }

  private static JsonNode check(JsonNode report, String id) {
    return report
        .get("checks")
        .valueStream()
        .filter(check -> check.get("id").asString().equals(id))
        .findFirst()
        .orElseThrow();
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void areReadScannedAndNamed(String kind, String words, GgufBytes contents) throws IOException {
    Path file = write(contents, 0.2f);
    Cli inspect = Cli.run("inspect", file);
    assertThat(inspect.code()).as(inspect.err()).isZero();
    assertThat(inspect.out()).contains(words, "Metadata", "Tensors  1");
    assertThat(Cli.run("inspect", file, "--json").json().get("kind").asString()).isEqualTo(kind);
    Cli weights = Cli.run("inspect", file, "--weights");
    assertThat(weights.code()).as(weights.err()).isZero();
    assertThat(weights.out()).contains("of 1 tensors scanned", "No faults in the weights");

    Cli check = Cli.run("check", file, "--no-summary", "--json");
    assertThat(check.code()).as(check.err()).isZero();
    assertThat(check(check.json(), "file.structure").get("verdict").asString()).isEqualTo("pass");
    assertThat(check(check.json(), "file.data").get("verdict").asString()).isEqualTo("pass");
    JsonNode loads = check(check.json(), "file.loads");
    assertThat(loads.get("verdict").asString()).isEqualTo("skipped");
    assertThat(loads.get("message").asString()).contains(words, "only the file was checked");

    Cli run = Cli.run("run", "-m", file, "-p", "hi", "--out", folder.resolve("out"));
    assertThat(run.code()).isEqualTo(3);
    assertThat(run.err().lines()).hasSize(1);
    assertThat(run.message()).startsWith("modeltracer: file.gguf is " + words);
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void aNanInOneIsAFinding(String kind, String words, GgufBytes contents) throws IOException {
    Path file = write(contents, Float.NaN);
    assertThat(Cli.run("inspect", file, "--weights").code()).as(kind + words).isEqualTo(1);
    Cli check = Cli.run("check", file, "--no-summary", "--json");
    assertThat(check.code()).isEqualTo(1);
    assertThat(check(check.json(), "file.data").get("message").asString()).contains("1 NaN");
  }

  /** No release converts Q8_1, which is made for activations. */
  @Test
  void whatWasNotScannedIsNotSound() throws IOException {
    Path file =
        write(
            new GgufBytes()
                .text("general.type", "adapter")
                .tensor("blk.0.attn_q.weight.lora_a", 32)
                .line("blk.0.attn_q.weight.lora_b", 9, 128, 32)
                .pad(64),
            0.2f);
    Cli weights = Cli.run("inspect", file, "--weights");
    assertThat(weights.code()).as(weights.err()).isEqualTo(4);
    assertThat(weights.out())
        .contains("not scanned", "blk.0.attn_q.weight.lora_b", "the 1 tensors that were scanned")
        .doesNotContain("No faults in the weights");
    Cli check = Cli.run("check", file, "--only", "file.data", "--no-summary", "--json");
    assertThat(check.code()).isEqualTo(1);
    JsonNode found = check(check.json(), "file.data").at("/evidence/0");
    assertThat(found.get("rule").asString()).isEqualTo("not_scanned");
    assertThat(found.get("tensor").asString()).isEqualTo("blk.0.attn_q.weight.lora_b");
  }

  @Test
  void aVocabularyHasNothingToScan() throws IOException {
    Path file =
        write(
            new GgufBytes()
                .text("general.architecture", "llama")
                .text("tokenizer.ggml.model", "gpt2")
                .texts("tokenizer.ggml.tokens", "a", "b", "c"),
            0);
    Cli inspect = Cli.run("inspect", file);
    assertThat(inspect.code()).isZero();
    assertThat(inspect.out()).contains("a vocabulary without weights");
    Cli weights = Cli.run("inspect", file, "--weights");
    assertThat(weights.code()).isEqualTo(4);
    assertThat(weights.out()).contains("Nothing was scanned").doesNotContain("No faults");
    Cli check = Cli.run("check", file, "--only", "file.structure,file.data", "--no-summary");
    assertThat(check.code()).isZero();
    assertThat(check.out()).contains("a vocabulary without weights: 0 tensors");
  }

  @Test
  void aModelThatLostItsArchitectureIsStillTakenForOne() throws IOException {
    Path file = write(new GgufBytes().tensor("blk.0.attn_q.weight", 64, 64), 0.1f);
    Cli inspect = Cli.run("inspect", file);
    assertThat(inspect.code()).isEqualTo(3);
    assertThat(inspect.message()).contains("general.architecture is missing");
  }
}
