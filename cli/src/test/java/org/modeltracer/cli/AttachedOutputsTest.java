package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.modeltracer.attach.CCompiler;
import org.modeltracer.llama.AgentFiles;
import org.modeltracer.llama.LlamaException;
import org.modeltracer.llama.Runtimes;
import org.modeltracer.testing.Faults;
import org.modeltracer.trace.Json;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** What {@code attach} writes of a C program, beside what {@code run} writes of the same tokens. */
class AttachedOutputsTest {
  private static final String IDS = "1,70,31,9,55,12,7,81,30";
  private static final int GENERATED = 12;

  @TempDir private static Path folder;
  private static Path driver;
  private static Path library;

  @BeforeAll
  static void compile() throws Exception {
    try {
      AgentFiles.library();
    } catch (LlamaException e) {
      assertThat(e).hasMessageContaining("C compiler");
      assumeTrue(false, "no agent was built here");
    }
    library = Runtimes.embedded("v0.5.0").orElseThrow();
    driver = CCompiler.driver(folder, library);
  }

  /** The driver under {@code attach}; what it prints goes to a file. */
  private static String[] words(Path model, Path out, int generated, int repeat, String... more) {
    var words = new ArrayList<>(List.of("attach", "--out", out.toString()));
    words.addAll(List.of(more));
    words.addAll(
        List.of(
            "--",
            "sh",
            "-c",
            "out=$1; export DRIVER_BACKENDS=$2; shift 2; exec \"$@\" > \"$out\"",
            "sh",
            out.resolveSibling(out.getFileName() + ".txt").toString(),
            library.getParent().toAbsolutePath().toString(),
            driver.toString(),
            model.toString()));
    words.addAll(List.of("1", "1", "1", "" + generated, "" + repeat, IDS));
    return words.toArray(String[]::new);
  }

  private static Cli attach(Path model, Path out, String... more) {
    Cli ended = Cli.run((Object[]) words(model, out, GENERATED, 1, more));
    assertThat(ended.code()).as(ended.err()).isEqualTo(7);
    assertThat(ended.out()).isEmpty();
    return ended;
  }

  private static void run(Path model, Path out) {
    String[] options = {
      "run", model.toString(), "--tokens", IDS, "-n", "" + GENERATED, "--temp", "0"
    };
    String[] context = {
      "-ctk", "f32", "-ctv", "f32", "-fa", "on", "-t", "1", "-c", "512", "-b", "256", "-ub", "256"
    };
    Object[] all =
        Stream.of(options, context, new String[] {"--out", out.toString()})
            .flatMap(Arrays::stream)
            .toArray();
    assertThat(Cli.run(all).code()).isZero();
  }

  private static JsonNode read(Path out, String name) throws IOException {
    return Json.mapper().readTree(Files.readAllBytes(out.resolve(name)));
  }

  @ParameterizedTest(name = "{0}")
  @CsvSource({"tinyllama-mha-f32", "rand-qwen2-f32"})
  void documentsAreThoseOfARun(String name) throws Exception {
    Path model = Path.of("models", name + ".gguf");
    Path theirs = folder.resolve("attached-" + name);
    Path page = folder.resolve(name + ".html");
    attach(model, theirs, "--html", page.toString());
    Path ours = folder.resolve("run-" + name);
    run(model, ours);
    same(read(ours, "attention.json"), read(theirs, "attention.json"), "");
    JsonNode attached = read(theirs, "summary.json");
    JsonNode own = read(ours, "summary.json");
    for (String field : List.of("attention", "activations", "kv_cache", "anomalies")) {
      same(own.get(field), attached.get(field), "/" + field);
    }
    var pictures = (ObjectNode) read(ours, "pictures.json");
    // The last token is chosen by the driver, and read by nobody.
    var tokens = pictures.withArray("tokens");
    tokens.remove(tokens.size() - 1);
    same(pictures, read(theirs, "pictures.json"), "");
    assertThat(ReportTest.embedded(page)).contains("attention.json", "pictures.json", name);
  }

  /** Numbers within 1e-6, all else alike. */
  private static void same(JsonNode ours, JsonNode theirs, String at) {
    if (ours.isNumber() && theirs.isNumber()) {
      assertThat(theirs.doubleValue())
          .as(at)
          .isCloseTo(ours.doubleValue(), within(1e-6 * Math.max(1, Math.abs(ours.doubleValue()))));
    } else if (ours.isContainer() && ours.size() > 0) {
      assertThat(theirs.size()).as(at).isEqualTo(ours.size());
      if (ours.isObject()) {
        assertThat(theirs.propertyNames()).as(at).isEqualTo(ours.propertyNames());
        ours.forEachEntry((key, value) -> same(value, theirs.get(key), at + "/" + key));
      } else {
        for (int i = 0; i < ours.size(); i++) {
          same(ours.get(i), theirs.get(i), at + "/" + i);
        }
      }
    } else {
      assertThat(theirs).as(at).isEqualTo(ours);
    }
  }

  /** Later passes show the weight; a replay decodes the first bad pass itself twice. */
  @Test
  void aReplayFindsTheRootOfTheFirstBadPass() throws Exception {
    Path model = Faults.make("f01_nan_ffn_down_l2", folder);
    Path out = folder.resolve("replayed");
    Cli ended = attach(model, out, "--replay");
    assertThat(ended.err()).contains("replayed here", "blk.2.ffn_down.weight");
    JsonNode cause =
        Files.readAllLines(out.resolve("anomalies.jsonl")).stream()
            .map(line -> Json.mapper().readTree(line).path("root_cause"))
            .filter(JsonNode::isObject)
            .findFirst()
            .orElseThrow();
    assertThat(cause.path("node").asString()).isEqualTo("ffn_out-2");
    assertThat(cause.path("weight").asString()).isEqualTo("blk.2.ffn_down.weight");
    assertThat(cause.path("cause").asString()).isEqualTo("bad_weight");
    assertThat(cause.path("position").asInt()).isZero();
    assertThat(cause.path("notes").path(0).asString())
        .contains("from a replay of the program's first 9 tokens");
    assertThat(read(out, "summary.json").toString()).contains("from a replay");
  }

  @Test
  void aHealthyProgramIsNotReplayed() {
    Cli ended =
        attach(Path.of(Cli.MODEL), folder.resolve("healthy"), "--replay", "--trace", "lightweight");
    assertThat(ended.err()).doesNotContain("replayed", "run again");
  }

  /** Somebody looks while the program generates, goes, and comes back: nothing else changes. */
  @Test
  void readersOfTheLivePageChangeNothing() throws Exception {
    Path model = Path.of(Cli.MODEL);
    Path alone = folder.resolve("alone");
    Cli unwatched = Cli.run((Object[]) words(model, alone, 200, 1));
    assertThat(unwatched.code()).isEqualTo(7);
    Path watched = folder.resolve("watched");
    var err = new StringWriter();
    String[] words = words(model, watched, 200, 1, "--live");
    var code =
        CompletableFuture.supplyAsync(
            () -> Main.run(new PrintWriter(new StringWriter()), new PrintWriter(err), words));
    URI events = URI.create(LivePageTest.address(err).replace("/?", "/events?"));
    HttpClient client = HttpClient.newHttpClient();
    int seen = 0;
    for (int reader = 0; reader < 2; reader++) {
      try (var lines =
          client.send(HttpRequest.newBuilder(events).build(), BodyHandlers.ofLines()).body()) {
        seen += lines.anyMatch(line -> line.equals("event: state")) ? 1 : 0;
      }
    }
    assertThat(code.get(60, TimeUnit.SECONDS)).isEqualTo(7);
    assertThat(seen).isPositive();
    assertThat(Files.readString(folder.resolve("watched.txt")))
        .isEqualTo(Files.readString(folder.resolve("alone.txt")))
        .isNotBlank();
    for (String name : List.of("attention.json", "pictures.json")) {
      assertThat(read(watched, name)).isEqualTo(read(alone, name));
    }
  }

  @Test
  void whatNeedsTheModelHereIsRefused() {
    Cli refused = Cli.run("attach", "--trace", "full,lens", "--", "true");
    assertThat(refused.code()).isEqualTo(2);
    assertThat(refused.message()).contains("--trace lens needs the model's weights");
  }
}
