package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.networknt.schema.Schema;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.attention.report.AttentionAnalysis;
import org.modeltracer.cli.terminal.Terminal;
import org.modeltracer.gate.Schemas;
import org.modeltracer.gate.output.Overview;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.lens.LensTrace;
import org.modeltracer.quant.Comparison;
import org.modeltracer.report.ReportPage;
import org.modeltracer.testing.Architectures;
import org.modeltracer.testing.SummarySchema;
import org.modeltracer.testing.TinyModels;
import org.modeltracer.trace.AnomalyLog;
import org.modeltracer.trace.Json;
import tools.jackson.databind.JsonNode;

/** All JSON that the program writes: by its schema, behind one head, with heads as numbers. */
class JsonOutputsTest {
  private static final Path MODEL = Path.of(Cli.MODEL);
  private static final String TEXT = "The function returns a value. The function returns a value.";

  private static final Schema ATTENTION =
      Schemas.of(AttentionAnalysis.class, "attention.schema.json");
  private static final Schema ANOMALY = Schemas.of(AnomalyLog.class, "anomaly.schema.json");
  private static final Schema DIFF = Schemas.of(Comparison.class, "diff.schema.json");
  private static final Schema DOCTOR = Schemas.of(Terminal.class, "doctor.schema.json");
  private static final Schema HEADS = Schemas.of(Terminal.class, "heads.schema.json");
  private static final Schema INSPECT = Schemas.of(Terminal.class, "inspect.schema.json");
  private static final Schema LENS = Schemas.of(LensTrace.class, "lens.schema.json");
  private static final Schema OVERVIEW = Schemas.of(Overview.class, "overview.schema.json");
  private static final Schema PERPLEXITY = Schemas.of(Terminal.class, "perplexity.schema.json");
  private static final Schema PICTURES = Schemas.of(ReportPage.class, "pictures.schema.json");
  private static final Schema WEIGHTS = Schemas.of(Terminal.class, "weights.schema.json");

  @TempDir private Path folder;

  /** Runs a command with {@code --json}. */
  private static String json(Path model, Object... command) {
    Object[] words = Arrays.copyOf(command, command.length + 3);
    words[command.length] = "-m";
    words[command.length + 1] = model;
    words[command.length + 2] = "--json";
    return Cli.run(words).out();
  }

  /** What was written, which must be valid and say what it is about. */
  private static JsonNode valid(Schema schema, Path model, String text) {
    assertThat(Schemas.errors(schema, text)).as(model.toString()).isEmpty();
    JsonNode all = Json.mapper().readTree(text);
    head(all);
    about(all, model);
    numbers(all, text);
    return all;
  }

  private static void head(JsonNode all) {
    assertThat(all.propertyNames()).contains("schema_version", "tool");
    assertThat(all.get("schema_version").asInt()).isEqualTo(1);
    assertThat(all.at("/tool/name").asString()).isEqualTo("modeltracer");
  }

  private static void about(JsonNode all, Path path) {
    JsonNode model = all.get("model");
    GgufFile file = GgufFile.read(path);
    assertThat(model.get("file").asString()).isEqualTo(path.getFileName().toString());
    assertThat(model.get("architecture").asString()).isEqualTo(file.architecture().orElseThrow());
    assertThat(model.get("bytes").asLong()).isEqualTo(path.toFile().length());
  }

  /** Layers and heads are numbers by these names, and never names such as L3H0. */
  private static void numbers(JsonNode all, String text) {
    assertThat(text).doesNotContainPattern("\"L\\d+H\\d+\"");
    for (String name : List.of("layer", "head")) {
      assertThat(all.findValues(name)).allMatch(value -> value.isInt() || value.isNull());
    }
  }

  private static void unreadable(Schema schema, String text) {
    assertThat(Schemas.errors(schema, text)).isEmpty();
    JsonNode all = Json.mapper().readTree(text);
    head(all);
    assertThat(all.get("model").toString())
        .isEqualTo(
            "{\"file\":\"cut.gguf\",\"architecture\":null,\"quantization\":null,\"bytes\":null}");
  }

  /** The model with a NaN in a weight of its second layer. */
  private Path poisoned() throws IOException {
    ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(MODEL)).order(ByteOrder.LITTLE_ENDIAN);
    long weight = GgufFile.read(MODEL).tensor("blk.1.ffn_down.weight").orElseThrow().offset();
    bytes.putFloat(Math.toIntExact(weight) + 4 * 5, Float.NaN);
    return Files.write(folder.resolve("poisoned.gguf"), bytes.array());
  }

  private JsonNode attention(Path model, Object... more) throws IOException {
    Path out = folder.resolve("attention");
    Object[] command = {"attention", "-p", TEXT, "-t", 1, "--out", out};
    Object[] words = Stream.concat(Stream.of(command), Stream.of(more)).toArray();
    String text = json(model, words);
    assertThat(Files.readString(out.resolve("attention.json"))).isEqualTo(text);
    valid(PICTURES, model, Files.readString(out.resolve("pictures.json")));
    return valid(ATTENTION, model, text);
  }

  /** What {@code run} leaves. */
  private List<JsonNode> run(Path model) throws IOException {
    Path out = folder.resolve("run");
    Cli.run("run", "-m", model, "-p", TEXT, "-n", 2, "-t", 1, "--trace", "full", "--out", out);
    valid(ATTENTION, model, Files.readString(out.resolve("attention.json")));
    valid(PICTURES, model, Files.readString(out.resolve("pictures.json")));
    String summary = Files.readString(out.resolve("summary.json"));
    assertThat(SummarySchema.errors(summary)).isEmpty();
    head(Json.mapper().readTree(summary));
    numbers(Json.mapper().readTree(summary), summary);
    List<String> lines = Files.readAllLines(out.resolve("anomalies.jsonl"));
    lines.forEach(line -> assertThat(Schemas.errors(ANOMALY, line)).isEmpty());
    return lines.stream().map(Json.mapper()::readTree).toList();
  }

  @Test
  void ofASoundModel() throws IOException {
    JsonNode all = attention(MODEL, "--matrix");
    assertThat(all.at("/attention_stats/insights")).isNotEmpty();
    assertThat(all.at("/head_specialization/redundancy_analysis/essential_heads")).isNotEmpty();
    run(MODEL);
    valid(HEADS, MODEL, json(MODEL, "heads", "--sequences", 1, "-t", 1));
    valid(INSPECT, MODEL, json(MODEL, "inspect", "-t", 1));
    valid(WEIGHTS, MODEL, json(MODEL, "inspect", "--weights"));
    valid(LENS, MODEL, json(MODEL, "lens", "-p", TEXT, "-t", 1));
    valid(PERPLEXITY, MODEL, json(MODEL, "perplexity", "-p", TEXT, "-t", 1));
  }

  @Test
  void ofAModelWithoutAttention() throws IOException {
    Path mamba = Architectures.model("mamba-dense-f16");
    assertThat(attention(mamba).get("attention_weights")).isEmpty();
    run(mamba);
    valid(INSPECT, mamba, json(mamba, "inspect", "-t", 1));
    valid(LENS, mamba, json(mamba, "lens", "-p", TEXT, "-t", 1));
    valid(PERPLEXITY, mamba, json(mamba, "perplexity", "-p", TEXT, "-t", 1));
  }

  @Test
  void ofAnEncoder() throws IOException {
    Path bert = TinyModels.of("bert").write(folder);
    assertThat(heads(bert, "attention", "--out", folder.resolve("a")).get("two_way_heads"))
        .isNotEmpty();
    valid(INSPECT, bert, json(bert, "inspect", "-t", 1));
    valid(WEIGHTS, bert, json(bert, "inspect", "--weights"));
  }

  private static JsonNode heads(Path encoder, Object... command) {
    Object[] words =
        Stream.concat(Stream.of(command), Stream.of("--tokens", "1,2,3,4,5,6", "-t", 1)).toArray();
    return valid(ATTENTION, encoder, json(encoder, words));
  }

  /** Numbers that are not finite are null. */
  @Test
  void ofAPoisonedModel() throws IOException {
    Path poisoned = poisoned();
    JsonNode all = attention(poisoned, "--matrix");
    assertThat(all.at("/attention_weights/2/heads/0/bad_rows").asInt()).isPositive();
    assertThat(run(poisoned)).isNotEmpty();
    valid(HEADS, poisoned, json(poisoned, "heads", "--sequences", 1, "-t", 1));
    JsonNode weights = valid(WEIGHTS, poisoned, json(poisoned, "inspect", "--weights"));
    assertThat(weights.at("/findings/0/kind").asString()).isEqualTo("nan");
    JsonNode lens = valid(LENS, poisoned, json(poisoned, "lens", "-p", TEXT, "-t", 1));
    assertThat(lens.get("largest_difference").isNull()).isTrue();
    JsonNode read = valid(PERPLEXITY, poisoned, json(poisoned, "perplexity", "-p", TEXT, "-t", 1));
    assertThat(read.get("not_finite").asInt()).isPositive();
    assertThat(read.get("perplexity").isNull()).isTrue();
    valid(DIFF, poisoned, Cli.run("diff", poisoned, MODEL, "-p", TEXT, "-t", 1, "--json").out());
  }

  @Test
  void ofFilesReadableAndNot() throws IOException {
    Path cut =
        Files.write(folder.resolve("cut.gguf"), Arrays.copyOf(Files.readAllBytes(MODEL), 4000));
    unreadable(DOCTOR, Cli.run("doctor", cut, "--json").out());
    Path out = folder.resolve("out");
    Cli both = Cli.run("check", "--only", "file.structure", "--json", "--out", out, cut, MODEL);
    unreadable(Schemas.CHECK, both.json().get(0).toString());
    valid(Schemas.CHECK, MODEL, both.json().get(1).toString());
    String summary = Files.readString(out.resolve("cut.gguf/summary.json"));
    assertThat(SummarySchema.errors(summary)).isEmpty();
    assertThat(Json.mapper().readTree(summary).get("verdict")).isEqualTo(both.json().get(0));
    assertThat(Json.mapper().readTree(summary).at("/model/architecture").isNull()).isTrue();
    String overview = Files.readString(out.resolve("overview.json"));
    assertThat(Schemas.errors(OVERVIEW, overview)).isEmpty();
    head(Json.mapper().readTree(overview));
    about(Json.mapper().readTree(overview).at("/files/1"), MODEL);
  }

  /** The definition of an anomaly stands in two schemas. */
  @Test
  void anAnomalyIsTheSameInALineAndInASummary() throws IOException {
    JsonNode line = schema("anomaly.schema.json");
    JsonNode all = schema("summary.schema.json").get("$defs");
    JsonNode summary = all.get("anomaly");
    for (String part : summary.propertyNames()) {
      assertThat(line.get(part)).as(part).isEqualTo(summary.get(part));
    }
    for (String name : line.get("$defs").propertyNames()) {
      assertThat(line.at("/$defs/" + name)).as(name).isEqualTo(all.get(name));
    }
  }

  private static JsonNode schema(String name) {
    return Json.mapper().readTree(AnomalyLog.class.getResourceAsStream(name));
  }

  @Test
  void thePageNamesEverySchema() throws IOException {
    String page = Files.readString(Path.of("docs", "json.md"));
    for (String module : List.of("library", "cli")) {
      try (Stream<Path> files = Files.walk(Path.of(module, "src", "main", "resources"))) {
        assertThat(files.map(Path::toString).filter(name -> name.endsWith(".schema.json")))
            .isNotEmpty()
            .allSatisfy(name -> assertThat(page).contains("(../" + name + ")"));
      }
    }
  }
}
