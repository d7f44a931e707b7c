package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.modeltracer.testing.Golden;
import tools.jackson.databind.JsonNode;

class ExportTest {
  private static final List<String> EXACT = List.of("-ctk", "f32", "-ctv", "f32", "-fa", "off");

  @TempDir Path folder;

  private Cli export(Path out, Object... more) {
    var args = new ArrayList<Object>(List.of("export", "-m", Cli.MODEL, "--out", out));
    args.addAll(List.of(more));
    return Cli.run(args.toArray());
  }

  private Object[] exactly(Object... given) {
    var args = new ArrayList<Object>(List.of(given));
    args.addAll(EXACT);
    return args.toArray();
  }

  private static String text(String prompt) {
    return Golden.prompts()
        .valueStream()
        .filter(p -> p.get("name").asString().equals(prompt))
        .findAny()
        .orElseThrow()
        .get("text")
        .asString();
  }

  @ParameterizedTest
  @CsvSource({
    "short, -ub 512",
    "short, -ub 7",
    "short, -ub 1 -b 1",
    "text64, -ub 512",
    "text64, -ub 7",
    "text64, -b 33 -ub 33",
    "text64, -ub 1 -b 1"
  })
  void theSameNumbersAsPyTorch(String prompt, String batches) throws IOException {
    Golden golden = Golden.load("tinyllama-mha", prompt);
    var args = new ArrayList<Object>(List.of("-p", text(prompt)));
    args.addAll(List.of(batches.split(" ")));
    Path out = folder.resolve("new/folder");
    Cli cli = export(out, exactly(args.toArray()));
    assertThat(cli.err()).isEmpty();
    assertThat(cli.code()).isZero();
    compare(out, golden, 1e-4, 1e-3);
  }

  @ParameterizedTest
  @MethodSource("org.modeltracer.llama.Runtimes#libraries")
  void everyGenerationOfLlamaCpp(Path library) throws IOException {
    Golden golden = Golden.load("tinyllama-mha", "text64");
    Cli cli = export(folder, exactly("-p", text("text64"), "-ub", 9, "--llama-lib", library));
    assertThat(cli.code()).as(cli.err()).isZero();
    compare(folder, golden, 1e-4, 1e-3);
  }

  @Test
  void headsThatShareKeys() throws IOException {
    Golden golden = Golden.load("tinyllama-gqa", "text64");
    Cli cli =
        Cli.run(exactly("export", "-m", golden.file(), "-p", text("text64"), "--out", folder));
    assertThat(cli.code()).as(cli.err()).isZero();
    // The file's weights are F16, the reference's are not rounded.
    compare(folder, golden, 1e-2, 0.2);
  }

  private static void compare(Path out, Golden golden, double tolerance, double hidden)
      throws IOException {
    assertThat(NpyArray.read(out.resolve("tokens.npy")).integers()).containsExactly(golden.ids());
    compare(out.resolve("embedding.npy"), golden, "hidden_embed", hidden);
    compare(out.resolve("logits.npy"), golden, "logits", tolerance);
    for (int layer = 0; layer < golden.layers(); layer++) {
      compare(out.resolve("hidden_L" + layer + ".npy"), golden, "hidden", hidden, layer);
      compare(out.resolve("attention_L" + layer + ".npy"), golden, "attn", tolerance, layer);
    }
    try (var files = Files.list(out)) {
      // And export.json.
      assertThat(files).hasSize(4 + 2 * golden.layers());
    }
  }

  /** Compares a file with the part of a reference array that {@code prefix} selects. */
  private static void compare(
      Path file, Golden golden, String array, double tolerance, int... prefix) throws IOException {
    NpyArray own = NpyArray.read(file);
    assertThat(own.descr()).isEqualTo("<f4");
    int dimensions = own.shape().length;
    for (int d = 0; d < dimensions; d++) {
      assertThat(own.shape()[d])
          .as(file + " dimension " + d)
          .isEqualTo(golden.size(array, prefix.length + d));
    }
    long elements = Arrays.stream(own.shape()).reduce(1, (a, b) -> a * b);
    double worst = 0;
    for (long i = 0; i < elements; i++) {
      long[] index = new long[dimensions];
      int[] theirs = Arrays.copyOf(prefix, prefix.length + dimensions);
      long rest = i;
      for (int d = dimensions - 1; d >= 0; d--) {
        index[d] = rest % own.shape()[d];
        theirs[prefix.length + d] = (int) index[d];
        rest /= own.shape()[d];
      }
      worst = Math.max(worst, Math.abs(own.at(index) - golden.at(array, theirs)));
    }
    assertThat(worst).as(file.getFileName().toString()).isLessThan(tolerance);
  }

  @ParameterizedTest
  @ValueSource(strings = {"-ub 512", "-ub 7", "-b 1"})
  void rolloutIsThatOfAbnarAndZuidema(String batches) throws IOException {
    Golden golden = Golden.load("tinyllama-mha", "text64");
    var args = new ArrayList<Object>(List.of("-p", text("text64"), "--what", "rollout"));
    args.addAll(List.of(batches.split(" ")));
    assertThat(export(folder, exactly(args.toArray())).code()).isZero();
    NpyArray rollout = NpyArray.read(folder.resolve("rollout.npy"));
    assertThat(rollout.shape()).containsExactly(64, 64);
    for (int q = 0; q < 64; q++) {
      for (int k = 0; k < 64; k++) {
        assertThat((double) rollout.at(q, k))
            .isCloseTo(golden.number("rollout", q, k), within(1e-4));
      }
    }
    assertThat(folder).isDirectoryNotContaining("glob:**attention*");
  }

  @Test
  void flashAttentionGivesTheSameUpToTheCachesPrecision() throws IOException {
    Golden golden = Golden.load("tinyllama-mha", "short");
    Cli cli = export(folder, "-p", text("short"), "-fa", "on");
    assertThat(cli.code()).isZero();
    for (int layer = 0; layer < golden.layers(); layer++) {
      compare(folder.resolve("attention_L" + layer + ".npy"), golden, "attn", 1.2e-2, layer);
    }
    compare(folder.resolve("logits.npy"), golden, "logits", 2.9e-2);
  }

  @Test
  void onlyTheChosenLayersAndHeads() throws IOException {
    Path all = folder.resolve("all");
    Path some = folder.resolve("some");
    export(all, exactly("--tokens", "0,53,260,275", "--what", "attention,hidden"));
    Cli cli =
        export(
            some,
            exactly(
                "--tokens",
                "0,53,260,275",
                "--what",
                "attention,hidden",
                "--json",
                "--trace-layers",
                "1,3",
                "--trace-heads",
                "3,0"));
    assertThat(cli.json().get("files").valueStream().map(f -> f.get("file").asString()))
        .containsExactly(
            "attention_L1.npy",
            "attention_L3.npy",
            "embedding.npy",
            "hidden_L1.npy",
            "hidden_L3.npy");
    JsonNode first = cli.json().get("files").get(0);
    assertThat(first.get("heads").toString()).isEqualTo("[0,3]");
    assertThat(first.get("layer").asInt()).isEqualTo(1);
    NpyArray whole = NpyArray.read(all.resolve("attention_L1.npy"));
    NpyArray part = NpyArray.read(some.resolve("attention_L1.npy"));
    assertThat(part.shape()).containsExactly(2, 4, 4);
    for (int q = 0; q < 4; q++) {
      for (int k = 0; k < 4; k++) {
        assertThat(part.at(0, q, k)).isEqualTo(whole.at(0, q, k));
        assertThat(part.at(1, q, k)).isEqualTo(whole.at(3, q, k));
      }
    }
    assertThat(Files.readAllBytes(some.resolve("hidden_L3.npy")))
        .isEqualTo(Files.readAllBytes(all.resolve("hidden_L3.npy")));
  }

  @Test
  void theListOfFilesIsTrue() throws IOException {
    JsonNode list = export(folder, "-p", "A list.", "--json").json();
    assertThat(list.get("prompts").get(0).get("tokens")).hasSizeGreaterThan(2);
    assertThat(list.get("notes").isEmpty()).isTrue();
    for (JsonNode entry : list.get("files")) {
      Path file = folder.resolve(entry.get("file").asString());
      assertThat(file).hasSize(entry.get("bytes").asLong());
      assertThat(NpyArray.read(file).shape())
          .containsExactly(entry.get("shape").valueStream().mapToLong(JsonNode::asLong).toArray());
    }
    try (var files = Files.list(folder)) {
      assertThat(files).hasSize(list.get("files").size() + 1);
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          -p x --trace-layers 4 | --trace-layers: there is no layer 4 among [0, 1, 2, 3]
          -p x --trace-heads 9 | --trace-heads: there is no head 9; heads are 0 to 3
          -p x --what rollout --trace-layers 1 | --what rollout takes all layers and heads
          -p x --what everything | expected one of [TOKENS, ATTENTION, HIDDEN, LOGITS, ROLLOUT, Q, K, V, HEAD_OUTPUTS, MLP, INDEXER, SELECTION, TABLES, EMBEDDING]
          --tokens 0,5,384 | token 384 is outside the vocabulary of 384 tokens
          -f LONG | the prompt has 601 tokens, the context holds 256; a larger -c makes room
          """)
  void whatCannotBeExportedLeavesNothingBehind(String args, String message) throws IOException {
    Path prompt = Files.writeString(folder.resolve("prompt"), "é".repeat(300));
    Path out = folder.resolve("a/b");
    Cli cli = export(out, (Object[]) args.replace("LONG", prompt.toString()).split(" "));
    assertThat(cli.code()).isEqualTo(2);
    assertThat(cli.message()).contains(message);
    assertThat(folder.resolve("a")).doesNotExist();
  }

  @Test
  void aFailureHalfWayLeavesWhatWasThereBefore() throws IOException {
    Files.writeString(folder.resolve("tokens.npy"), "precious");
    // Where a file is to be written stands a folder.
    Files.createDirectories(folder.resolve("logits.npy.part/occupied"));
    Cli cli = export(folder, "-p", "x");
    assertThat(cli.code()).isEqualTo(5);
    assertThat(cli.err().lines()).hasSize(1);
    assertThat(folder.resolve("tokens.npy")).hasContent("precious");
    try (var files = Files.list(folder)) {
      assertThat(files).hasSize(2);
    }
  }
}
