package org.modeltracer.gguf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.modeltracer.anomaly.Thresholds;
import org.modeltracer.llama.LlamaException;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.testing.SplitFile;
import org.modeltracer.weights.Hashes;
import org.modeltracer.weights.WeightScan;

/** A model in several files is the same model, whichever of them is named. */
class SplitModelTest {
  private static final Path WHOLE = Path.of("models", "tinyllama-gqa-Q4_K_M.gguf");
  private static final Path OTHER = Path.of("models", "tinyllama-mha-f32.gguf");

  @TempDir Path folder;
  private SplitFile model;

  @BeforeEach
  void read() {
    model = new SplitFile(WHOLE);
  }

  private Path file(String name) {
    return folder.resolve(name);
  }

  private static WeightScan.Result scan(GgufFile file) {
    return WeightScan.scan(file, LlamaRuntime.load(), Thresholds.defaults(), 1, (done, all) -> {});
  }

  /** Both refuse it: our reader in these words, llama.cpp in its own. */
  private void refused(Path named, String... words) {
    assertThatThrownBy(() -> GgufFile.read(named))
        .isInstanceOf(GgufException.class)
        .message()
        .contains(words)
        .doesNotContain("\n");
    assertThatThrownBy(() -> LlamaRuntime.load().open(named)).isInstanceOf(LlamaException.class);
  }

  @ParameterizedTest
  @ValueSource(strings = {"tinyllama-gqa-Q4_K_M", "rand-mixtral-f32", "tinyllama-mha-Q8_0"})
  void everyShardOpensTheWhole(String name) throws Exception {
    Path path = Path.of("models", name + ".gguf");
    GgufFile whole = GgufFile.read(path);
    List<Path> shards = new SplitFile(path).write(folder, name, 4);
    var lines = new StringBuilder();
    for (Path shard : shards) {
      var sha = MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(shard));
      lines.append(HexFormat.of().formatHex(sha)).append("  ").append(shard.getFileName());
      lines.append('\n');
    }
    String hash =
        HexFormat.of()
            .formatHex(
                MessageDigest.getInstance("SHA-256")
                    .digest(lines.toString().getBytes(StandardCharsets.UTF_8)));
    for (Path named : shards) {
      GgufFile split = GgufFile.read(named);
      assertThat(split.path()).isEqualTo(shards.getFirst());
      assertThat(split.shards()).extracting(Shard::path).isEqualTo(shards);
      assertThat(split.size())
          .isEqualTo(shards.stream().mapToLong(shard -> shard.toFile().length()).sum());
      assertThat(split.tensors())
          .extracting(TensorInfo::toString)
          .isEqualTo(whole.tensors().stream().map(TensorInfo::toString).toList());
      assertThat(split.metadata().keys()).containsAll(whole.metadata().keys());
      assertThat(split.kind()).isEqualTo(GgufKind.MODEL);
      assertThat(LoadChecks.problems(split)).isEmpty();
      assertThat(Quantization.of(split)).isEqualTo(Quantization.of(whole));
      assertThat(Hashes.tensors(split)).isEqualTo(Hashes.tensors(whole));
      assertThat(Hashes.model(Hashes.files(split))).isEqualTo(hash);
    }
    assertThat(scan(GgufFile.read(shards.getLast()))).isEqualTo(scan(whole));
    assertThat(Hashes.model(Hashes.files(whole))).isEqualTo(Hashes.file(path));
  }

  @Test
  void llamaCppGetsTheFirstShard() {
    List<Path> shards = model.write(folder, "m", 3);
    try (var whole = LlamaRuntime.load().open(WHOLE);
        var split = LlamaRuntime.load().open(shards.get(1))) {
      assertThat(split.file()).isEqualTo(shards.getFirst());
      assertThat(split.parameters()).isEqualTo(whole.parameters());
      assertThat(split.bytes()).isEqualTo(whole.bytes());
    }
  }

  @Test
  void theFirstShardMayHaveNoTensors() {
    int all = GgufFile.read(WHOLE).tensors().size();
    Path first = model.shard(file("m-00001-of-00002.gguf"), 0, 2, all, 0, 0);
    model.shard(file("m-00002-of-00002.gguf"), 1, 2, all, 0, all);
    assertThat(GgufFile.read(first).tensors()).hasSize(all);
    assertThat(LoadChecks.problems(GgufFile.read(first))).isEmpty();
  }

  @Test
  void shardsThatAreMissing() throws IOException {
    List<Path> shards = model.write(folder, "m", 4);
    Files.delete(shards.get(1));
    for (Path named : List.of(shards.getFirst(), shards.get(1), shards.getLast())) {
      refused(named, "shard 2 of 4 is missing", "m-00002-of-00004.gguf", "in one folder");
    }
    Files.delete(shards.getFirst());
    refused(shards.getLast(), "shards 1, 2 of 4 are missing", "m-00001-of-00004.gguf");
  }

  @Test
  void shardsInEachOthersPlace() throws IOException {
    List<Path> shards = model.write(folder, "m", 3);
    Path aside = Files.move(shards.get(1), file("aside"));
    Files.move(shards.get(2), shards.get(1));
    Files.move(aside, shards.get(2));
    String second = "m-00002-of-00003.gguf is shard 3 of 3 by its split.no, shard 2 by its name";
    refused(shards.get(0), second);
    refused(shards.get(1), second, "rename it to m-00003-of-00003.gguf");
    refused(shards.get(2), "m-00003-of-00003.gguf is shard 2 of 3 by its split.no");
  }

  @Test
  void shardsOfAnotherName() throws IOException {
    List<Path> shards = model.write(folder, "m", 3);
    Path renamed = Files.copy(shards.getFirst(), file("model.gguf"));
    refused(renamed, "model.gguf is shard 1 of 3", "rename it to model-00001-of-00003.gguf");
    Files.move(shards.getFirst(), shards.getFirst().resolveSibling("m-00001-of-00004.gguf"));
    refused(
        file("m-00001-of-00004.gguf"), "m-00001-of-00004.gguf is a shard of another model", "3");
  }

  @Test
  void shardsOfAnotherModel() throws IOException {
    List<Path> shards = model.write(folder, "m", 3);
    Path foreign = new SplitFile(OTHER).write(folder, "other", 3).get(1);
    Files.move(foreign, shards.get(1), StandardCopyOption.REPLACE_EXISTING);
    for (Path named : shards) {
      refused(named, "m-00002-of-00003.gguf is a shard of another model", "split.tensors.count");
    }
    Files.copy(OTHER, shards.get(1), StandardCopyOption.REPLACE_EXISTING);
    refused(shards.getFirst(), "m-00002-of-00003.gguf is not a shard of this model");
  }

  @Test
  void shardsOfAnotherSplitOfTheSameModel() {
    int all = GgufFile.read(WHOLE).tensors().size();
    List<Path> shards = model.write(folder, "m", 3);
    model.shard(shards.get(1), 1, 3, all, all / 3 - 1, 2 * all / 3);
    refused(shards.getFirst(), " is in m-00001-of-00003.gguf and in m-00002-of-00003.gguf");
    model.shard(shards.get(1), 1, 3, all, all / 3 + 1, 2 * all / 3);
    refused(shards.getFirst(), "have " + (all - 1) + " tensors", "is " + all);
  }

  @Test
  void shardsThatAreBroken() throws IOException {
    List<Path> shards = model.write(folder, "m", 3);
    byte[] second = Files.readAllBytes(shards.get(1));
    Files.write(shards.get(1), List.of(), StandardCharsets.US_ASCII);
    refused(shards.getFirst(), "m-00002-of-00003.gguf: not a GGUF file: it is empty");
    Files.write(shards.get(1), Arrays.copyOf(second, second.length - 4096));
    refused(shards.getLast(), "m-00002-of-00003.gguf: file is cut short");
  }

  @Test
  void shardsJoinedWithCat() throws IOException {
    List<Path> shards = model.write(folder, "m", 3);
    Path joined = file("joined.gguf");
    for (Path shard : shards) {
      Files.write(
          joined, Files.readAllBytes(shard), StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    }
    refused(joined, "another GGUF file begins", "llama-gguf-split --merge");
  }

  @Test
  void piecesOfAFileAreJoinedWithCat() throws IOException {
    byte[] whole = Files.readAllBytes(WHOLE);
    Path first = file("m.gguf.part1of2");
    Files.write(first, Arrays.copyOf(whole, whole.length / 2));
    refused(first, "file is cut short", "join the pieces with cat");
    Path second = file("m.gguf-split-b");
    Files.write(second, Arrays.copyOfRange(whole, whole.length / 2, whole.length));
    refused(second, "not a GGUF file", "join the pieces with cat");
  }

  @Test
  void aNameAloneMakesNoShard() throws IOException {
    Path named = Files.copy(WHOLE, file("m-00001-of-00001.gguf"));
    assertThat(GgufFile.read(named).shards()).hasSize(1);
    named = Files.copy(WHOLE, file("m-00001-of-00002.gguf"));
    assertThat(GgufFile.read(named).shards()).hasSize(1);
  }
}
