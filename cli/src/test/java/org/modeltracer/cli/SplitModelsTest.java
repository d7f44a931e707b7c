package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.testing.Faults;
import org.modeltracer.testing.SplitFile;
import org.modeltracer.trace.Json;
import tools.jackson.databind.JsonNode;

/** What people see of a model in several files is what they see of the same model in one. */
class SplitModelsTest {
  @TempDir Path folder;

  /** The model of the fault set with a NaN in the last third of its tensors. */
  private List<Path> broken() throws IOException {
    List<Path> shards =
        new SplitFile(Faults.make("f01_nan_ffn_down_l2", folder)).write(folder, "m", 3);
    assertThat(shards).hasSize(3);
    return shards;
  }

  private JsonNode summary(String name, Object... args) throws IOException {
    Path out = folder.resolve(name);
    var all = new ArrayList<Object>(List.of(args));
    all.addAll(List.of("--out", out));
    Cli.run(all.toArray());
    return Json.mapper().readTree(Files.readString(out.resolve("summary.json")));
  }

  @Test
  void inspectShowsTheWhole() {
    List<Path> shards = new SplitFile(Path.of(Cli.MODEL)).write(folder, "m", 3);
    JsonNode whole = Cli.run("inspect", "--no-sites", "--json", Cli.MODEL).json();
    for (Path shard : shards) {
      JsonNode split = Cli.run("inspect", "--no-sites", "--json", shard).json();
      assertThat(split.get("tensors").size()).isEqualTo(whole.get("tensors").size()).isPositive();
      assertThat(split.get("files").size()).isEqualTo(3);
      assertThat(split.at("/tensors/38/file").asString()).isEqualTo("m-00003-of-00003.gguf");
    }
    assertThat(Cli.run("inspect", "--no-sites", shards.getFirst()).out())
        .contains("m-00001-of-00003.gguf", "m-00002-of-00003.gguf", "m-00003-of-00003.gguf");
    assertThat(Cli.run("inspect", shards.get(2)).out())
        .contains("Places", "in the graph of a prompt, 4 layers");
  }

  @Test
  void aNanInALaterShardIsFoundFromAnyShard() throws IOException {
    for (Path shard : broken()) {
      Cli cli = Cli.run("inspect", "--weights", shard);
      assertThat(cli.code()).isEqualTo(1);
      assertThat(cli.out())
          .contains("951,424 values of 39 tensors", "blk.2.ffn_down.weight", "[101, 37]")
          .contains("(in m-0000")
          .doesNotContain("No faults");
    }
  }

  @Test
  void theRootCauseIsInItsShard() throws IOException {
    Path whole = Faults.make("f01_nan_ffn_down_l2", folder);
    Path shard = broken().get(1);
    Object[] rest = {"-p", "When you run", "-n", 2, "--temp", 0, "-t", 1};
    JsonNode one = summary("one", args("run", whole, rest));
    JsonNode many = summary("many", args("run", shard, rest));
    assertThat(one.at("/anomalies/total").asInt()).isPositive();
    assertThat(many.at("/anomalies/total")).isEqualTo(one.at("/anomalies/total"));
    String log = Files.readString(folder.resolve("many/anomalies.jsonl"));
    assertThat(log.lines().findFirst().orElseThrow())
        .contains("\"bad_weight\"", "blk.2.ffn_down.weight (in m-0000", "[101, 37]");
    assertThat(log.lines())
        .hasSameSizeAs(Files.readAllLines(folder.resolve("one/anomalies.jsonl")));
    assertThat(many.at("/model/file").asString()).isEqualTo("m-00001-of-00003.gguf");
    assertThat(many.at("/model/shards").size()).isEqualTo(3);
    assertThat(one.at("/model/shards").isMissingNode()).isTrue();
  }

  private static Object[] args(String command, Path model, Object... rest) {
    var all = new ArrayList<Object>(List.of(command, "-m", model));
    all.addAll(List.of(rest));
    return all.toArray();
  }

  @Test
  void checkCountsASplitModelOnce() throws IOException {
    List<Path> shards = broken();
    Path sarif = folder.resolve("s.sarif");
    Cli cli =
        Cli.run(
            "check",
            shards.get(1),
            shards.get(0),
            shards.get(2),
            "--only",
            "file",
            "--json",
            "--out",
            folder.resolve("gate"),
            "--sarif",
            sarif);
    assertThat(cli.code()).isEqualTo(1);
    JsonNode report = cli.json();
    assertThat(report.isObject()).as("one report").isTrue();
    assertThat(report.get("file").asString()).isEqualTo(shards.getFirst().toString());
    assertThat(report.at("/checks/0/message").asString())
        .isEqualTo("39 tensors, all within the 3 files");
    JsonNode evidence = report.at("/checks/2/evidence/0");
    assertThat(evidence.get("tensor").asString()).isEqualTo("blk.2.ffn_down.weight");
    String file = evidence.get("file").asString();
    assertThat(file).matches("m-0000[23]-of-00003\\.gguf");
    assertThat(Files.readString(sarif))
        .contains(shards.getFirst().resolveSibling(file).toUri() + "");
    JsonNode summary =
        Json.mapper().readTree(Files.readString(folder.resolve("gate/summary.json")));
    assertThat(summary.at("/model/tensors").size()).isEqualTo(39);
    assertThat(summary.at("/model/shards").size()).isEqualTo(3);
  }

  @Test
  void checkNamesTheShardThatIsMissing() throws IOException {
    List<Path> shards = broken();
    Files.delete(shards.get(1));
    Cli cli = Cli.run("check", shards.get(0), shards.get(2), "--no-summary", "--json");
    assertThat(cli.code()).isEqualTo(3);
    assertThat(cli.json().at("/checks/0/message").asString())
        .contains("shard 2 of 3 is missing", "m-00002-of-00003.gguf");
  }

  @Test
  void diffAgainstTheWholeIsZero() {
    List<Path> shards = new SplitFile(Path.of(Cli.MODEL)).write(folder, "m", 2);
    Cli cli =
        Cli.run(
            "diff", shards.get(1), Cli.MODEL, "-p", "When you run", "-t", 1, "--places", "--json");
    assertThat(cli.code()).as(cli.err()).isZero();
    JsonNode divergence = cli.json().at("/logits/kl_mean");
    assertThat(divergence.isNumber()).isTrue();
    assertThat(divergence.asDouble()).isZero();
  }
}
