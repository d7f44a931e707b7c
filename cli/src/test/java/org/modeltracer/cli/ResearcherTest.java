package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.networknt.schema.InputFormat;
import com.networknt.schema.SchemaRegistry;
import com.networknt.schema.SpecificationVersion;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.cli.export.ExportIndex;
import org.modeltracer.trace.Json;
import org.modeltracer.weights.Hashes;
import tools.jackson.databind.JsonNode;

/** Someone who takes a model's numbers to NumPy: what they type, and what they then have. */
class ResearcherTest {
  private static final Object[] EXACT = {"-t", 1, "-ctk", "f32", "-ctv", "f32", "-fa", "off"};

  @TempDir Path folder;

  private static Cli type(Object... words) {
    var args = new ArrayList<>(List.of(words));
    args.addAll(List.of(EXACT));
    return Cli.run(args.toArray());
  }

  private static JsonNode index(Path folder) throws IOException {
    String json = Files.readString(folder.resolve("export.json"));
    try (InputStream schema = ExportIndex.class.getResourceAsStream("export.schema.json")) {
      String text = new String(schema.readAllBytes(), StandardCharsets.UTF_8);
      assertThat(
              SchemaRegistry.withDefaultDialect(SpecificationVersion.DRAFT_2020_12)
                  .getSchema(text)
                  .validate(json, InputFormat.JSON))
          .isEmpty();
    }
    return Json.mapper().readTree(json);
  }

  /** All members of an archive, by name. */
  private Map<String, Path> members(Path archive) throws IOException {
    Map<String, Path> members = new LinkedHashMap<>();
    try (FileSystem zip = FileSystems.newFileSystem(archive);
        var paths = Files.walk(zip.getPath("/"))) {
      for (Path path : paths.filter(Files::isRegularFile).toList()) {
        String name = path.toString().substring(1);
        Path copy = folder.resolve("unzipped").resolve(name);
        Files.createDirectories(copy.getParent());
        members.put(name, Files.copy(path, copy));
      }
    }
    return members;
  }

  @Test
  void exportsTwoPromptsWithTheirContinuationsAndReadsThem() throws IOException {
    Path model = Path.of("models/tinyllama-gqa-f16.gguf");
    Path out = folder.resolve("study");
    Cli cli =
        type(
            "export",
            "-m",
            model,
            "-p",
            "The file is",
            "-p",
            "Ünder",
            "-n",
            5,
            "--temp",
            0,
            "--what",
            "tokens,attention,hidden,logits,q,k,v,head_outputs,mlp",
            "--format",
            "npz",
            "--out",
            out);
    assertThat(cli.code()).as(cli.err()).isZero();
    assertThat(cli.out().lines().reduce((a, b) -> b).orElseThrow())
        .isEqualTo(
            "62 arrays in %s, described in %s"
                .formatted(out.resolve("export.npz"), out.resolve("export.json")));
    try (var files = Files.list(out)) {
      assertThat(files.map(f -> f.getFileName().toString()))
          .containsExactlyInAnyOrder("export.npz", "export.json");
    }

    JsonNode index = index(out);
    assertThat(index.get("model").get("sha256").asString()).isEqualTo(Hashes.file(model));
    Map<String, Path> members = members(out.resolve("export.npz"));
    assertThat(Files.readString(members.get("export.json")))
        .isEqualTo(Files.readString(out.resolve("export.json")));
    assertThat(members).hasSize(63);

    for (JsonNode file : index.get("files")) {
      NpyArray array = NpyArray.read(members.get(file.get("file").asString()));
      assertThat(array.shape())
          .as(file.get("file").asString())
          .containsExactly(file.get("shape").valueStream().mapToLong(JsonNode::asLong).toArray())
          .hasSameSizeAs(file.get("axes").valueStream().toArray());
    }
    for (int p = 0; p < 2; p++) {
      JsonNode text = index.get("prompts").get(p);
      String name = "prompt-" + p;
      assertThat(text.get("name").asString()).isEqualTo(name);
      int[] ids = NpyArray.read(members.get(name + "/tokens.npy")).integers();
      int prompt = text.get("prompt_tokens").asInt();
      assertThat(ids).hasSize(prompt + 5);
      assertThat(text.get("tokens").valueStream().mapToInt(t -> t.get("id").asInt()))
          .containsExactly(Arrays.stream(ids).boxed().toArray(Integer[]::new));
      assertThat(text.get("tokens").valueStream().filter(t -> t.get("generated").asBoolean()))
          .hasSize(5);
      // At temperature 0 each generated token has the highest score of the position before.
      NpyArray logits = NpyArray.read(members.get(name + "/logits.npy"));
      for (int t = prompt; t < ids.length; t++) {
        int position = t - 1;
        int best =
            IntStream.range(0, (int) logits.shape()[1])
                .reduce(0, (a, b) -> logits.at(position, b) > logits.at(position, a) ? b : a);
        assertThat(ids[t]).as("%s, token %d", name, t).isEqualTo(best);
      }
    }
    // Ü is two bytes, which this vocabulary has as two tokens.
    JsonNode umlaut = index.get("prompts").get(1).get("tokens").get(1);
    assertThat(umlaut.get("text").asString()).isEqualTo("\uFFFD");
    assertThat(umlaut.get("bytes").asString()).isEqualTo("c3");
    assertThat(index.get("prompts").get(1).get("text").asString()).contains("Ünder");
  }

  @Test
  void generatedPositionsAreWhatTheWholeTextWouldGive() throws IOException {
    Path grown = folder.resolve("grown");
    Path given = folder.resolve("given");
    String what = "tokens,attention,hidden,logits,q,v,head_outputs,mlp,rollout";
    Cli first =
        type("export", "-m", Cli.MODEL, "-p", "A file", "-n", 12, "--what", what, "--out", grown);
    assertThat(first.code()).as(first.err()).isZero();
    int[] ids = NpyArray.read(grown.resolve("tokens.npy")).integers();
    String all = Arrays.stream(ids).mapToObj(String::valueOf).collect(Collectors.joining(","));
    type("export", "-m", Cli.MODEL, "--tokens", all, "--what", what, "--out", given);
    try (var files = Files.list(given)) {
      for (Path file : files.filter(f -> f.toString().endsWith(".npy")).toList()) {
        NpyArray whole = NpyArray.read(file);
        NpyArray own = NpyArray.read(grown.resolve(file.getFileName()));
        assertThat(own.shape()).containsExactly(whole.shape());
        for (int i = 0; i < whole.data().remaining(); i += 4) {
          assertThat(own.data().getFloat(i))
              .as("%s at byte %d", file.getFileName(), i)
              .isCloseTo(whole.data().getFloat(i), within(2e-3f));
        }
      }
    }
    // The same run again gives the same bytes.
    Path again = folder.resolve("again");
    type("export", "-m", Cli.MODEL, "-p", "A file", "-n", 12, "--what", what, "--out", again);
    try (var files = Files.list(again)) {
      for (Path file : files.toList()) {
        assertThat(file).hasSameBinaryContentAs(grown.resolve(file.getFileName()));
      }
    }
  }

  @Test
  void eachPromptIsThatOfAnExportOfItsOwn() throws IOException {
    Path both = folder.resolve("both");
    Path alone = folder.resolve("alone");
    type("export", "-m", Cli.MODEL, "-p", "One prompt.", "-p", "Another", "--out", both);
    type("export", "-m", Cli.MODEL, "-p", "Another", "--out", alone);
    Path archive = folder.resolve("archive");
    type("export", "-m", Cli.MODEL, "-p", "Another", "--format", "npz", "--out", archive);
    Map<String, Path> members = members(archive.resolve("export.npz"));
    try (var files = Files.list(alone)) {
      for (Path file : files.filter(f -> f.toString().endsWith(".npy")).toList()) {
        String name = file.getFileName().toString();
        assertThat(both.resolve("prompt-1").resolve(name)).hasSameBinaryContentAs(file);
        assertThat(members.get(name)).hasSameBinaryContentAs(file);
      }
    }
    assertThat(index(both).get("prompts")).hasSize(2);
    assertThat(both.resolve("prompt-0/tokens.npy")).isRegularFile();
    assertThat(both.resolve("tokens.npy")).doesNotExist();
  }

  @Test
  void aFullContextIsToldAndEverythingUpToItExported() throws IOException {
    Cli cli =
        type(
            "export",
            "-m",
            Cli.MODEL,
            "-p",
            "x",
            "-n",
            400,
            "--temp",
            0,
            "--what",
            "tokens,logits",
            "-c",
            32,
            "--out",
            folder);
    assertThat(cli.code()).as(cli.err()).isZero();
    JsonNode index = index(folder);
    JsonNode text = index.get("prompts").get(0);
    int all = NpyArray.read(folder.resolve("tokens.npy")).integers().length;
    assertThat(text.get("tokens")).hasSize(all);
    if (text.get("finish").asString().equals("context")) {
      assertThat(cli.err()).contains("not all of the 400 tokens of -n were generated");
      assertThat(index.get("notes")).hasSize(1);
      assertThat(all).isGreaterThanOrEqualTo(32);
    } else {
      assertThat(text.get("finish").asString()).isEqualTo("end_of_text");
      assertThat(cli.err()).isEmpty();
    }
  }

  @Test
  void tablesSumUpTheArrays() throws IOException {
    Cli cli =
        type(
            "export",
            "-m",
            Cli.MODEL,
            "-p",
            "A table of numbers",
            "-n",
            4,
            "--what",
            "tables,hidden,attention",
            "--out",
            folder);
    assertThat(cli.code()).as(cli.err()).isZero();
    Map<String, Double> row = row("activations.csv", "layer_out,2,");
    NpyArray hidden = NpyArray.read(folder.resolve("hidden_L2.npy"));
    double sum = 0;
    double squares = 0;
    double most = Double.NEGATIVE_INFINITY;
    int n = hidden.data().remaining() / 4;
    for (int i = 0; i < n; i++) {
      float x = hidden.data().getFloat(4 * i);
      sum += x;
      squares += (double) x * x;
      most = Math.max(most, x);
    }
    assertThat(row.get("count")).isEqualTo(n);
    assertThat(row.get("mean")).isCloseTo(sum / n, within(1e-6));
    assertThat(row.get("l2")).isCloseTo(Math.sqrt(squares), within(1e-3));
    assertThat(row.get("max")).isEqualTo(most);

    Map<String, Double> head = row("heads.csv", "1,3,");
    NpyArray attention = NpyArray.read(folder.resolve("attention_L1.npy"));
    int positions = (int) attention.shape()[1];
    double entropy = 0;
    for (int q = 0; q < positions; q++) {
      for (int k = 0; k <= q; k++) {
        double a = attention.at(3, q, k);
        entropy -= a > 0 ? a * Math.log(a) : 0;
      }
    }
    assertThat(head.get("rows")).isEqualTo(positions);
    assertThat(head.get("entropy")).isCloseTo(entropy / positions, within(1e-3));
  }

  /** The line of a table that begins so, by the names in its header. */
  private Map<String, Double> row(String table, String begin) throws IOException {
    List<String> lines = Files.readAllLines(folder.resolve(table));
    String[] names = lines.getFirst().split(",", -1);
    String[] cells =
        lines.stream()
            .filter(line -> line.startsWith(begin))
            .findFirst()
            .orElseThrow()
            .split(",", -1);
    assertThat(cells).hasSameSizeAs(names);
    Map<String, Double> row = new LinkedHashMap<>();
    for (int i = 0; i < names.length; i++) {
      if (!names[i].equals("site") && !cells[i].isEmpty()) {
        row.put(names[i], Double.parseDouble(cells[i]));
      }
    }
    return row;
  }
}
