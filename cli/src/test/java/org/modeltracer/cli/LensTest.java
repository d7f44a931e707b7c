package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.networknt.schema.InputFormat;
import com.networknt.schema.Schema;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Locale;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.gate.Schemas;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.TensorInfo;
import org.modeltracer.lens.LensTrace;
import org.modeltracer.testing.Golden;
import org.modeltracer.testing.SummarySchema;
import org.modeltracer.testing.TinyModels;
import org.modeltracer.trace.Json;
import tools.jackson.databind.JsonNode;

class LensTest {
  private static final String PROMPT = "The function returns a value to the caller.";
  private static final Schema SCHEMA = Schemas.of(LensTrace.class, "lens.schema.json");

  @TempDir Path folder;

  private static JsonNode json(Cli cli) {
    assertThat(cli.code()).as(cli.err()).isZero();
    assertThat(SCHEMA.validate(cli.out(), InputFormat.JSON)).isEmpty();
    return cli.json();
  }

  @Test
  void jsonIsTheTableOfTheReference() {
    JsonNode all =
        json(
            Cli.run(
                "lens", "-m", Cli.MODEL, "-p", PROMPT, "-fa", "off", "-ctk", "f32", "-ctv", "f32",
                "--json"));
    JsonNode positions = all.get("positions");
    assertThat(positions.size()).isEqualTo(1);
    JsonNode position = positions.get(0);
    assertThat(position.get("position").asInt()).isEqualTo(21);
    assertThat(position.get("token").asInt()).isEqualTo(15);
    assertThat(position.get("decisive_layer").asInt()).isEqualTo(3);
    assertThat(position.get("next").isInt()).isTrue();
    JsonNode table =
        Golden.json("tinyllama-mha.metrics.json").at("/prompts/short/logit_lens_last_pos");
    assertThat(position.get("layers").size()).isEqualTo(table.size());
    for (int i = 0; i < table.size(); i++) {
      JsonNode layer = position.get("layers").get(i);
      assertThat(layer.get("layer").asInt()).isEqualTo(i - 1);
      assertThat(layer.get("top").size()).isEqualTo(5);
      for (int k = 0; k < 5; k++) {
        JsonNode want = table.get(i).get("top5").get(k);
        JsonNode token = layer.get("top").get(k);
        assertThat(token.get("id")).isEqualTo(want.get("id"));
        assertThat(token.get("logit").asDouble())
            .isCloseTo(want.get("logit").asDouble(), within(1e-3));
      }
      assertThat(layer.get("rank_of_final")).isEqualTo(table.get(i).get("rank_of_final_top1"));
    }
    assertThat(all.get("steps").toString()).contains("MUL_MAT output.weight");
  }

  @Test
  void everyPositionAndWhatWasGenerated() {
    JsonNode all =
        json(
            Cli.run(
                "lens",
                "-m",
                Cli.MODEL,
                "-p",
                PROMPT,
                "--all-positions",
                "-n",
                3,
                "--temp",
                "0.5",
                "--top-p",
                "0.8",
                "--top",
                2,
                "--track",
                "200, the",
                "--json"));
    JsonNode positions = all.get("positions");
    assertThat(positions.size()).isEqualTo(22 + 2);
    assertThat(all.get("sampling").get("temperature").asDouble()).isEqualTo(0.5);
    assertThat(all.get("sampling").get("top_p").asDouble()).isEqualTo(0.8);
    for (int i = 0; i < positions.size(); i++) {
      JsonNode position = positions.get(i);
      assertThat(position.get("position").asInt()).isEqualTo(i);
      if (i + 1 < positions.size()) {
        assertThat(position.get("next")).isEqualTo(positions.get(i + 1).get("token"));
      }
      assertThat(position.get("layers").get(0).get("top").size()).isEqualTo(2);
      assertThat(position.get("tracked").get(0).get("id").asInt()).isEqualTo(200);
      assertThat(position.get("tracked").get(1).get("token").asString()).isEqualTo(" the");
    }
    String generated = all.get("generated_text").asString();
    assertThat(generated).startsWith(positions.get(22).get("text").asString());
  }

  @Test
  void theSameInputAndSeedGiveTheSameAnswer() {
    Object[] args = {"lens", "-m", Cli.MODEL, "-p", "The caller", "-n", 4, "--json", "-s", 3};
    String first = Cli.run(args).out();
    assertThat(Cli.run(args).out()).isEqualTo(first);
  }

  @Test
  void tableOfOnePosition() {
    Cli cli = Cli.run("lens", "-m", Cli.MODEL, "-p", PROMPT, "--track", "279", "--out", folder);
    assertThat(cli.code()).as(cli.err()).isZero();
    assertThat(cli.out())
        .contains("temperature 0.8, top-p 0.95", "After position 21, '.':", "'\\n' stays first")
        .containsPattern("(?m)^ +embedding +6\\.783 +#107 +\\\\xDB +10 % +\\\\xCF +8\\.6 %")
        .containsPattern("(?m)^ +3 +0\\.000 +#1 +\\\\n +38 % +␣ +3. %")
        .containsPattern("(?m)^ +token ing$")
        .doesNotContain("@|", "\u001b");
    String written = folder.resolve("lens.json").toFile().exists() ? "yes" : "no";
    assertThat(written).isEqualTo("yes");
  }

  @Test
  void tableOfManyPositionsFitsTheWidth() {
    Cli cli = Cli.run("lens", "-m", Cli.MODEL, "-p", PROMPT, "--all-positions", "--track", "200");
    assertThat(cli.code()).as(cli.err()).isZero();
    assertThat(cli.out().lines().skip(3)).allMatch(line -> line.length() <= 120);
    var heads = Pattern.compile("(?m)^ +position (.*)$").matcher(cli.out());
    var positions = new StringBuilder();
    while (heads.find()) {
      positions.append(heads.group(1).strip()).append(' ');
    }
    var expected = new StringBuilder();
    for (int i = 0; i < 44; i++) {
      expected.append(i % 22).append(' ');
    }
    assertThat(positions.toString().replaceAll("\\s+", " ")).isEqualTo(expected.toString());
    assertThat(cli.out()).containsPattern("(?m)^decided at|^ *decided at 1 +1 +1 +2");
    assertThat(cli.out().lines().filter(l -> l.startsWith(" ".repeat(6) + "next"))).hasSize(4);
  }

  @Test
  void wrongUsageIsToldInOneLine() {
    Object[] base = {"lens", "-m", Cli.MODEL, "-p", "x"};
    expect(2, "is not one token but 5: 'n' (79)", base, "--track", "nonsense");
    expect(2, "token 384 is outside the vocabulary", base, "--track", "384");
    expect(2, "--top must be at least 1", base, "--top", 0);
    expect(2, "-n must be at least 0", base, "-n", -1);
    expect(2, "no prompt", new Object[] {"lens", "-m", Cli.MODEL});
    Path bert = TinyModels.of("bert").write(folder);
    expect(2, "no output matrix", new Object[] {"lens", "-m", bert, "--tokens", "1,2"});
  }

  private static void expect(int code, String message, Object[] base, Object... more) {
    Object[] all = Arrays.copyOf(base, base.length + more.length);
    System.arraycopy(more, 0, all, base.length, more.length);
    Cli cli = Cli.run(all);
    assertThat(cli.code()).isEqualTo(code);
    assertThat(cli.message()).contains(message);
    assertThat(cli.out()).isEmpty();
  }

  @Test
  void statesThatAreNotFiniteSayNothing() throws IOException {
    Path broken = folder.resolve("broken.gguf");
    Files.copy(Path.of(Cli.MODEL), broken);
    TensorInfo weight = GgufFile.read(broken).tensor("blk.2.ffn_down.weight").orElseThrow();
    try (FileChannel channel = FileChannel.open(broken, StandardOpenOption.WRITE)) {
      var nan = ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putFloat(Float.NaN).flip();
      channel.write(nan, weight.offset());
    }
    Cli cli = Cli.run("lens", "-m", broken, "-p", PROMPT, "-n", 0, "--json");
    assertThat(cli.code()).isEqualTo(1);
    assertThat(SCHEMA.validate(cli.out(), InputFormat.JSON)).isEmpty();
    JsonNode position = cli.json().get("positions").get(0);
    assertThat(position.get("decisive_layer").isNull()).isTrue();
    for (int i = 0; i < 5; i++) {
      JsonNode layer = position.get("layers").get(i);
      assertThat(layer.get("top").size()).isEqualTo(i < 3 ? 5 : 0);
      assertThat(layer.get("rank_of_final").isNull()).isTrue();
    }
    Cli table = Cli.run("lens", "-m", broken, "-p", PROMPT, "-n", 0);
    assertThat(table.out()).contains("not finite: nothing is decided");
    assertThat(Cli.run("lens", "-m", broken, "-p", PROMPT, "--all-positions", "-n", 0).out())
        .contains("not finite");
  }

  @Test
  void runTracesScoresThroughAllLayers() throws IOException {
    Cli cli =
        Cli.run(
            "run",
            "-m",
            Cli.MODEL,
            "-p",
            PROMPT,
            "-n",
            4,
            "--temp",
            "0.7",
            "--top-p",
            "0.9",
            "--trace",
            "lightweight,lens",
            "--out",
            folder);
    assertThat(cli.code()).as(cli.err()).isZero();
    assertThat(cli.out()).containsPattern("half of 4 tokens were decided after layer \\d");
    String summary = Files.readString(folder.resolve("summary.json"));
    assertThat(SummarySchema.errors(summary)).isEmpty();
    JsonNode all = Json.mapper().readTree(summary);
    assertThat(all.at("/config/session/temperature").asDouble()).isEqualTo(0.7);
    assertThat(all.at("/config/session/top_p").asDouble()).isEqualTo(0.9);
    JsonNode logits = all.get("logits");
    JsonNode evolutions = logits.get("last_evolutions");
    assertThat(logits.get("evolutions").asInt()).isEqualTo(evolutions.size());
    assertThat(evolutions.size()).isBetween(4 * 10, 4 * 11);
    for (JsonNode trace : evolutions) {
      assertThat(trace.get("layer_logits").size()).isEqualTo(5);
      assertThat(trace.get("layer_probabilities").size()).isEqualTo(5);
      assertThat(trace.get("layer_logits").get(4)).isEqualTo(trace.get("final_logit"));
      assertThat(trace.get("layer_ranks").get(4)).isEqualTo(trace.get("final_rank"));
      assertThat(trace.get("decisive_layer").asInt()).isBetween(-1, 3);
    }
    assertAgreesWithTheModel(logits);
  }

  /** The lens's last layer and the scores that the tracer recorded from the model itself. */
  private static void assertAgreesWithTheModel(JsonNode logits) {
    int compared = 0;
    for (JsonNode position : logits.get("last_positions")) {
      for (JsonNode token : position.get("tokens")) {
        for (JsonNode trace : logits.get("last_evolutions")) {
          if (trace.get("position").equals(token.get("position"))
              && trace.get("token").equals(token.get("token"))) {
            assertThat(trace.get("final_logit").asDouble())
                .as(() -> String.format(Locale.ROOT, "%s", trace))
                .isCloseTo(token.get("final_logit").asDouble(), within(1e-4));
            assertThat(trace.get("final_rank")).isEqualTo(token.get("final_rank"));
            compared++;
          }
        }
      }
    }
    assertThat(compared).isGreaterThanOrEqualTo(4 * 10);
  }

  @Test
  void runWithoutALensTellsNoLayers() throws IOException {
    Cli cli = Cli.run("run", "-m", Cli.MODEL, "-p", "x", "-n", 1, "--out", folder);
    assertThat(cli.code()).as(cli.err()).isZero();
    JsonNode all = Json.mapper().readTree(Files.readString(folder.resolve("summary.json")));
    assertThat(all.at("/logits/evolutions").asInt()).isZero();
    assertThat(cli.out()).doesNotContain("Logit lens");
  }
}
