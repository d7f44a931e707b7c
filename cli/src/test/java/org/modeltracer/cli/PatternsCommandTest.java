package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.networknt.schema.Schema;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.gate.Schemas;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.sparse.SparseReport;
import org.modeltracer.testing.Shared;
import tools.jackson.databind.JsonNode;

/** Patterns of trained models, through the command. */
class PatternsCommandTest {
  private static final Schema SPARSE = Schemas.of(SparseReport.class, "sparse.schema.json");
  private static final String TEXT =
      "The function returns a value to the caller. When you run the program, the compiler checks"
          + " that every name is known; if a name is not known, it says where. \"Read it again,\""
          + " she said, and he read the page again, from the first line to the last.\n\n"
          + "int main(void) { return 0; }\n\nThe book is on the table, and the page is open.";

  @TempDir private Path folder;

  private JsonNode patterns(Path model, Object... more) {
    var words = new ArrayList<Object>(List.of("sparse", model, "-p", TEXT, "-t", 1));
    words.addAll(Arrays.asList(more));
    words.addAll(List.of("--budgets", "32,48", "--out", folder, "--json"));
    Cli cli = Cli.run(words.toArray());
    assertThat(cli.code()).as(cli.err()).isZero();
    assertThat(Schemas.errors(SPARSE, cli.out())).isEmpty();
    return cli.json();
  }

  private static List<JsonNode> all(JsonNode array) {
    return StreamSupport.stream(array.spliterator(), false).toList();
  }

  private static JsonNode head(JsonNode patterns, int layer, int head) {
    return all(patterns.get("heads")).stream()
        .filter(h -> h.get("layer").asInt() == layer && h.get("head").asInt() == head)
        .findFirst()
        .orElseThrow();
  }

  private static void diagonal(JsonNode patterns, int layer, int head, int offset) {
    JsonNode found = head(patterns, layer, head);
    assertThat(found.get("kind").asString()).as("L%dH%d", layer, head).isEqualTo("diagonal");
    assertThat(found.at("/scores/offset").asInt()).isEqualTo(offset);
  }

  /** What models/README.md says of its heads. */
  @Test
  void aTrainedModelsHeadsAreWhatTheyAreKnownFor() {
    JsonNode patterns = patterns(Path.of(Cli.MODEL)).get("patterns");
    assertThat(patterns.get("heads").size()).isEqualTo(16);
    diagonal(patterns, 0, 0, 0);
    diagonal(patterns, 0, 1, 1);
    assertThat(head(patterns, 1, 2).get("kind").asString()).isEqualTo("sink");
    for (JsonNode head : all(patterns.get("heads"))) {
      List<JsonNode> efficiency = all(head.get("efficiency"));
      assertThat(efficiency)
          .extracting(e -> e.get("mass").asDouble())
          .containsExactly(0.9, 0.95, 0.99);
      assertThat(efficiency).extracting(e -> e.get("keys").asDouble()).isSorted();
    }
  }

  @Test
  void headsThatShareKeysAreWhatTheyAreKnownFor() {
    JsonNode patterns = patterns(Path.of("models/tinyllama-gqa-f16.gguf")).get("patterns");
    diagonal(patterns, 0, 3, 1);
    diagonal(patterns, 1, 4, 1);
    diagonal(patterns, 1, 6, 1);
    diagonal(patterns, 1, 7, 1);
    diagonal(patterns, 1, 5, 2);
  }

  /** Bytes and operations from the file's own numbers, independently of the graph. */
  @Test
  void savingsAreCountedInTheModelsOwnCosts() {
    Path model = Path.of("models/tinyllama-gqa-f16.gguf");
    JsonNode patterns = patterns(model, "-ctk", "q8_0", "-fa", "on").get("patterns");
    var metadata = GgufFile.read(model).metadata();
    long heads = metadata.integer("llama.attention.head_count").orElseThrow();
    long kvHeads = metadata.integer("llama.attention.head_count_kv").orElseThrow();
    long layers = metadata.integer("llama.block_count").orElseThrow();
    long width = metadata.integer("llama.embedding_length").orElseThrow() / heads;
    assertThat(kvHeads).isLessThan(heads);
    JsonNode any = patterns.get("heads").get(0);
    double visible =
        any.at("/efficiency/0/keys").asDouble() / any.at("/efficiency/0/share").asDouble();
    for (JsonNode savings : all(patterns.get("total"))) {
      double flops = layers * heads * visible * 4 * width;
      assertThat(savings.get("flops").asDouble())
          .isCloseTo(savings.get("flops_saved").asDouble() * flops, within(1e-6 * flops));
      // Keys of 34 bytes for 32 numbers, values of two bytes each.
      double bytes = layers * kvHeads * visible * (width * 34 / 32.0 + 2 * width);
      assertThat(savings.get("kv_bytes").asDouble())
          .isCloseTo(savings.get("kv_saved").asDouble() * bytes, within(1e-6 * bytes));
      // What heads share is saved only where all do without.
      assertThat(savings.get("kv_saved").asDouble())
          .isLessThan(savings.get("flops_saved").asDouble());
    }
  }

  @Test
  void clustersAreAsManyAsAreAskedFor() {
    JsonNode patterns = patterns(Path.of(Cli.MODEL), "--clusters", 5).get("patterns");
    assertThat(patterns.get("clusters").size()).isEqualTo(5);
    assertThat(all(patterns.get("clusters")).stream().mapToInt(c -> c.get("heads").size()).sum())
        .isEqualTo(16);
    assertThat(patterns.get("cluster_chance").isNull()).isTrue();
    Cli wrong = Cli.run("sparse", Cli.MODEL, "-p", TEXT, "--clusters", 0, "--out", folder);
    assertThat(wrong.code()).isEqualTo(2);
    assertThat(wrong.message()).contains("--clusters");
  }

  @Test
  void rowsAreTheSameHoweverThePromptIsCut() {
    JsonNode whole = patterns(Path.of(Cli.MODEL), "-fa", "off").get("patterns");
    JsonNode cut = patterns(Path.of(Cli.MODEL), "-fa", "off", "-ub", 16).get("patterns");
    for (int h = 0; h < 16; h++) {
      JsonNode one = whole.get("heads").get(h);
      JsonNode other = cut.get("heads").get(h);
      assertThat(other.get("rows")).isEqualTo(one.get("rows"));
      assertThat(other.get("kind")).isEqualTo(one.get("kind"));
      for (String score : List.of("sink", "diagonal", "strided", "local", "spread", "distance")) {
        assertThat(other.at("/scores/" + score).asDouble())
            .isCloseTo(one.at("/scores/" + score).asDouble(), within(0.02));
      }
    }
  }

  /** An encoder attends both ways: it has patterns, and no policies that drop what is old. */
  @Test
  void anEncoderHasPatternsToo() {
    JsonNode all = patterns(Shared.file("real", "minilm-l2-f16.gguf"));
    assertThat(all.get("policies").isNull()).isTrue();
    assertThat(all.get("plans").size()).isZero();
    JsonNode patterns = all.get("patterns");
    assertThat(patterns.get("heads").size()).isEqualTo(24);
    assertThat(all(patterns.get("kinds")))
        .extracting(k -> k.get("kind").asString())
        .contains("global");
    // By its float64 reference the first looks at the token before, the second at the next.
    diagonal(patterns, 0, 2, 1);
    diagonal(patterns, 1, 8, -1);
    assertThat(patterns.at("/total/0/kv_bytes").isNull()).isTrue();
    assertThat(patterns.at("/heads/0/scores/block").isNull()).isTrue();
  }

  /** Random weights attend at random; every other layer sees eight keys only. */
  @Test
  void aModelOfRandomWeightsHasNoPatterns() {
    JsonNode patterns = patterns(Path.of("models/rand-gemma2-f32.gguf")).get("patterns");
    assertThat(all(patterns.get("heads")))
        .extracting(h -> h.get("layer").asInt())
        .containsOnly(1, 3);
    assertThat(patterns.at("/absent/heads").asString()).contains("layers [0, 2]");
    assertThat(all(patterns.get("heads")))
        .extracting(h -> h.get("kind").asString())
        .containsOnly("heterogeneous");
    assertThat(patterns.get("clusters").size()).isZero();
    assertThat(patterns.get("cluster_chance").asDouble()).isGreaterThan(0.05);
  }

  @Test
  void thePageForPeopleShowsAMapOfTheHeads() throws IOException {
    Cli cli = Cli.run("sparse", Cli.MODEL, "-p", TEXT, "-t", 1, "--budgets", "32", "--out", folder);
    assertThat(cli.code()).as(cli.err()).isZero();
    assertThat(cli.out())
        .contains("layer  heads by pattern", "D diagonal", "keys for 95 %", "keys a layer")
        .containsPattern("(?m)^    0  [SDTBLG·]{4}$")
        .containsPattern("(?m)^     95 % .*%.*%");
    assertThat(Files.readString(folder.resolve("sparse.json"))).contains("\"patterns\"");
  }

  @Test
  void aPromptOfFewTokensHasNoPatterns() {
    Cli cli =
        Cli.run(
            "sparse",
            Cli.MODEL,
            "-p",
            "The book is on the table.",
            "-t",
            1,
            "--budgets",
            "4",
            "--out",
            folder,
            "--json");
    assertThat(cli.code()).as(cli.err()).isZero();
    assertThat(Schemas.errors(SPARSE, cli.out())).isEmpty();
    assertThat(cli.json().at("/patterns/heads").size()).isZero();
    assertThat(cli.json().at("/patterns/absent/heads").asString()).contains("32 keys");
  }
}
