package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.testing.SummarySchema;
import org.modeltracer.trace.Json;
import tools.jackson.databind.JsonNode;

class CheckTest {
  private static final String MODEL = "models/tinyllama-mha-Q8_0.gguf";

  @TempDir Path folder;

  private Path broken() {
    try {
      byte[] bytes = Files.readAllBytes(Path.of(MODEL));
      return Files.write(folder.resolve("cut.gguf"), Arrays.copyOf(bytes, 4000));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Test
  void writesEveryFormOfTheVerdict() throws IOException {
    Path out = folder.resolve("out");
    Cli cli =
        Cli.run(
            "check",
            "-m",
            MODEL,
            "--policy",
            "smoke",
            "--out",
            out,
            "--junit",
            folder.resolve("j/junit.xml"),
            "--sarif",
            folder.resolve("r.sarif"),
            "--markdown",
            folder.resolve("r.md"),
            "--annotations");
    assertThat(cli.code()).as(cli.out() + cli.err()).isZero();
    assertThat(cli.out())
        .contains("✔ file.structure")
        .contains("– tokenizer.reference")
        .contains("PASS  ")
        .doesNotContain("::error");
    String summary = Files.readString(out.resolve("summary.json"));
    assertThat(SummarySchema.errors(summary)).isEmpty();
    JsonNode json = Json.mapper().readTree(summary);
    assertThat(json.at("/verdict/verdict").asString()).isEqualTo("pass");
    assertThat(json.at("/runtime/version").asString()).isNotEmpty();
    assertThat(json.at("/model/sha256").asString())
        .isEqualTo("d45307d2e0fa84dcc641317d33f8ad2471df75eef555e8a693518f0eb47dfe83");
    assertThat(json.get("total_forwards").asInt()).isPositive();
    assertThat(Files.readString(folder.resolve("j/junit.xml"))).contains("failures=\"0\"");
    assertThat(Files.readString(folder.resolve("r.sarif"))).contains("\"2.1.0\"");
    assertThat(Files.readString(folder.resolve("r.md"))).startsWith("## ✅");
    try (Stream<Path> left = Files.walk(folder)) {
      assertThat(left.filter(Files::isRegularFile)).hasSize(4);
    }
  }

  @Test
  void aMalformedFileIsThree() {
    Cli cli = Cli.run("check", broken(), "--out", folder.resolve("out"), "--json");
    assertThat(cli.code()).isEqualTo(3);
    assertThat(cli.json().get("verdict").asString()).isEqualTo("fail");
    assertThat(folder.resolve("out/summary.json")).exists();
    assertThat(Cli.run("check", folder.resolve("absent.gguf"), "--no-summary").code()).isEqualTo(3);
  }

  @Test
  void nothingCheckedIsFour() {
    Cli cli = Cli.run("check", MODEL, "--only", "tokenizer.reference", "--no-summary");
    assertThat(cli.code()).isEqualTo(4);
    assertThat(cli.out()).contains("SKIPPED").contains("no reference");
  }

  @Test
  void severalFilesGiveTheWorstOfTheirCodes() throws IOException {
    Path out = folder.resolve("out");
    Cli cli = Cli.run("check", MODEL, broken(), "--only", "file.structure", "--out", out, "--json");
    assertThat(cli.code()).isEqualTo(3);
    assertThat(cli.json().valueStream().map(f -> f.get("verdict").asString()))
        .containsExactly("pass", "fail");
    assertThat(out.resolve("cut.gguf/summary.json")).exists();
    assertThat(out.resolve("tinyllama-mha-Q8_0.gguf/summary.json")).exists();
  }

  @Test
  void listsTheChecks() {
    Cli cli = Cli.run("check", "--list");
    assertThat(cli.code()).isZero();
    assertThat(cli.out()).contains("file.structure").contains("tokenizer.parity");
    JsonNode json = Cli.run("check", "--list", "--json").json();
    assertThat(json.size()).isEqualTo((int) cli.out().lines().count());
    assertThat(json.get(0).get("id").asString()).isEqualTo("file.structure");
  }

  @Test
  void aBaselineForgivesWhatWasKnown() throws IOException {
    byte[] bytes = Files.readAllBytes(Path.of("models/tinyllama-mha-f32.gguf"));
    Arrays.fill(bytes, bytes.length - 4, bytes.length, (byte) 0xff);
    Path nan = Files.write(folder.resolve("nan.gguf"), bytes);
    Path out = folder.resolve("out");
    Cli first = Cli.run("check", nan, "--only", "file.data", "--out", out, "--annotations");
    assertThat(first.code()).as(first.out() + first.err()).isEqualTo(1);
    assertThat(first.out()).contains("::error file=").contains("title=modeltracer file.data::");
    Path policy =
        Files.writeString(folder.resolve("p.yaml"), "preset: strict\nbaseline: out/summary.json\n");
    assertThat(
            Cli.run("check", nan, "--only", "file.data", "--policy", policy, "--no-summary").code())
        .isZero();
  }

  @Test
  void theModelRunsWhereItIsTold() {
    Cli cli =
        Cli.run("check", MODEL, "--only", "file", "--rpc", "nowhere", "--no-summary", "--json");
    assertThat(cli.code()).isEqualTo(5);
    assertThat(check(cli, "file.data").get("verdict").asString()).isEqualTo("pass");
    assertThat(check(cli, "file.loads").get("message").asString())
        .contains("'nowhere' is not HOST:PORT of an RPC server");
  }

  private static JsonNode check(Cli cli, String id) {
    return cli.json()
        .get("checks")
        .valueStream()
        .filter(c -> c.get("id").asString().equals(id))
        .findFirst()
        .orElseThrow();
  }

  @Test
  void wrongUsageIsTwoAndSaysWhy() throws IOException {
    Path policy = Files.writeString(folder.resolve("p.yaml"), "toknes: 3\n");
    for (List<String> arguments :
        List.of(
            List.of("check"),
            List.of("check", MODEL, "--policy", "lax"),
            List.of("check", MODEL, "--policy", policy.toString()),
            List.of("check", MODEL, "--only", "nonsense"),
            List.of("check", MODEL, "--skip", "nonsense"),
            List.of("check", MODEL, "--timeout", "0"),
            List.of("check", MODEL, "--memory", "-1"),
            List.of("check", MODEL, "--baseline", policy.toString()))) {
      Cli cli = Cli.run(arguments.toArray());
      assertThat(cli.code()).as(arguments.toString()).isEqualTo(2);
      assertThat(cli.message()).startsWith("modeltracer: ");
    }
    assertThat(Cli.run("check", MODEL, "--policy", policy).message())
        .contains("p.yaml: unknown key 'toknes'; known: preset");
    assertThat(Cli.run("check", MODEL, "--only", "nonsense").message()).contains("file.structure");
  }

  /** A folder stands for the models in it; several files have a total and an overview. */
  @Test
  void aFolderIsItsModels() throws IOException {
    Path models = Files.createDirectories(folder.resolve("models/sub"));
    Files.copy(Path.of(MODEL), models.resolve("a.gguf"));
    byte[] cut = Arrays.copyOf(Files.readAllBytes(Path.of(MODEL)), 4000);
    Files.write(models.getParent().resolve("b.gguf"), cut);
    Files.writeString(models.resolve("notes.txt"), "no model");
    Path out = folder.resolve("out");
    Cli cli = Cli.run("check", "--only", "file", "--out", out, models.getParent());
    assertThat(cli.code()).isEqualTo(3);
    assertThat(cli.out()).contains("2 files: 1 pass, 1 fail");
    JsonNode overview = Json.mapper().readTree(Files.readString(out.resolve("overview.json")));
    assertThat(overview.at("/verdict").asString()).isEqualTo("fail");
    assertThat(overview.at("/counts/pass").asInt()).isEqualTo(1);
    for (JsonNode file : overview.at("/files")) {
      assertThat(out.resolve(file.path("summary").asString())).isRegularFile();
    }
    Path link = Files.createSymbolicLink(folder.resolve("link"), models.getParent());
    Cli linked = Cli.run("check", "--only", "file.structure", "--no-summary", link);
    assertThat(linked.out()).contains("2 files: 1 pass, 1 fail");
    Cli none = Cli.run("check", "--no-summary", Files.createDirectory(folder.resolve("empty")));
    assertThat(none.code()).isEqualTo(4);
    assertThat(none.message()).contains("named *.gguf");
  }
}
