package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.networknt.schema.InputFormat;
import com.networknt.schema.Schema;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.gate.Schemas;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.TensorInfo;
import org.modeltracer.quant.Comparison;
import org.modeltracer.testing.SummarySchema;
import org.modeltracer.trace.Json;
import tools.jackson.databind.JsonNode;

class DiffTest {
  private static final String GQA = "models/tinyllama-gqa-";
  private static final Schema SCHEMA = Schemas.of(Comparison.class, "diff.schema.json");
  private static final String PROMPT = "The function returns a value to the caller. It checks";

  @TempDir private Path folder;

  @Test
  void writesWhatScriptsRelyOn() throws IOException {
    Cli cli =
        Cli.run(
            "diff", GQA + "Q2_K.gguf", GQA + "f16.gguf", "-p", PROMPT, "--json", "--out", folder);
    assertThat(cli.err()).isEmpty();
    assertThat(cli.code()).as("what is beyond the policy's limits is a finding").isEqualTo(1);
    assertThat(SCHEMA.validate(cli.out(), InputFormat.JSON)).isEmpty();
    assertThat(Files.readString(folder.resolve("diff.json"))).isEqualTo(cli.out());
    JsonNode diff = cli.json();
    assertThat(diff.at("/model/quantization").asString())
        .isEqualTo("Q2_K: 16 q2_K, 8 q3_K, 4 q4_K, 1 q6_K");
    assertThat(diff.at("/reference/quantization").asString()).isEqualTo("F16: 29 f16");
    assertThat(diff.at("/logits/kl_mean").asDouble()).isGreaterThan(0.01);
    assertThat(diff.at("/logits/kl_p90").isNumber()).isTrue();
    assertThat(diff.at("/logits/same_top1").asDouble()).isBetween(0.1, 1.0);
    JsonNode ffn =
        diff.get("nodes")
            .valueStream()
            .filter(n -> n.get("tensor").asString().equals("ffn_out-0"))
            .findFirst()
            .orElseThrow();
    assertThat(ffn.get("layer").asInt()).isZero();
    assertThat(ffn.get("site").asString()).isEqualTo("ffn_out");
    assertThat(ffn.get("weight").asString()).isEqualTo("blk.0.ffn_down.weight");
    assertThat(ffn.get("reference_type").asString()).isEqualTo("f16");
    for (String kind : new String[] {"local", "accumulated"}) {
      for (String measure : new String[] {"mse", "max_abs", "relative_l2", "cosine", "snr_db"}) {
        assertThat(ffn.get(kind).get(measure).isNumber()).as(kind + " " + measure).isTrue();
      }
    }
    double previous = Double.POSITIVE_INFINITY;
    for (JsonNode node : diff.get("nodes")) {
      double error = node.at("/local/relative_l2").asDouble();
      assertThat(error).isLessThanOrEqualTo(previous);
      previous = error;
    }
    levels(diff);
    summary(diff);
  }

  /** The cosine, or that of noise of the same relative error. */
  private static double likeness(JsonNode error) {
    double relative = error.get("relative_l2").asDouble();
    return Math.min(error.get("cosine").asDouble(), 1 / Math.sqrt(1 + relative * relative));
  }

  /** Levels follow the errors, and are counted. */
  private static void levels(JsonNode diff) {
    int warnings = 0;
    int criticals = 0;
    for (JsonNode node : diff.get("nodes")) {
      double cosine = Math.min(likeness(node.get("local")), likeness(node.get("accumulated")));
      String expected = cosine > 0.995 ? "acceptable" : cosine > 0.99 ? "warning" : "critical";
      assertThat(node.get("level").asString()).isEqualTo(expected);
      warnings += expected.equals("warning") ? 1 : 0;
      criticals += expected.equals("critical") ? 1 : 0;
    }
    assertThat(diff.get("warnings").asInt()).isEqualTo(warnings);
    assertThat(diff.get("criticals").asInt()).isEqualTo(criticals).isPositive();
  }

  private void summary(JsonNode diff) throws IOException {
    String json = Files.readString(folder.resolve("summary.json"));
    assertThat(SummarySchema.errors(json)).isEmpty();
    JsonNode summary = Json.mapper().readTree(json);
    assertThat(summary.get("quant_warnings")).isEqualTo(diff.get("warnings"));
    assertThat(summary.get("quant_criticals")).isEqualTo(diff.get("criticals"));
    JsonNode quantization = summary.get("quantization");
    assertThat(quantization.get("tensors").asInt()).isEqualTo(diff.get("nodes").size());
    assertThat(quantization.at("/analysis/logits")).isEqualTo(diff.get("logits"));
    int found = 0;
    for (String line : Files.readAllLines(folder.resolve("anomalies.jsonl"))) {
      JsonNode anomaly = Json.mapper().readTree(line);
      assertThat(anomaly.get("kind").asString()).isEqualTo("quantization");
      found += 1 + anomaly.get("repeats").asInt();
    }
    assertThat(found).isEqualTo(diff.get("warnings").asInt() + diff.get("criticals").asInt());
  }

  @Test
  void aGoodQuantizationPasses() {
    Cli cli = Cli.run("diff", GQA + "Q8_0.gguf", GQA + "f16.gguf", "-p", PROMPT, "--top", 5);
    assertThat(cli.code()).as(cli.err() + cli.out()).isZero();
    assertThat(cli.out())
        .contains(
            "tinyllama-gqa-Q8_0.gguf (Q8_0: 29 q8_0) against tinyllama-gqa-f16.gguf (F16: 29 f16)")
        .contains("KL divergence   mean ")
        .contains("same top token")
        .contains("perplexity ")
        .containsPattern("(?m)^3 +0\\.\\d+ .* acceptable ")
        .containsPattern("attn_out-2 +q8_0")
        .contains("attention that differs most")
        .contains("0 nodes critical, 0 with a warning");
  }

  /** No cosine shows a wrong scale: the weight that has it is named with its factor. */
  @Test
  void aWrongScaleIsNamedWithItsWeight() throws IOException {
    Path scaled = edited("output_norm.weight", value -> 9.5f * value);
    Cli cli = Cli.run("diff", scaled, Cli.MODEL, "-p", PROMPT, "--json");
    assertThat(SCHEMA.validate(cli.out(), InputFormat.JSON)).isEmpty();
    JsonNode first = cli.json().get("first_scaled");
    assertThat(first.get("weight").asString()).isEqualTo("output_norm.weight");
    assertThat(first.get("scale").asDouble()).isCloseTo(9.5, within(1e-4));
    assertThat(cli.code()).isEqualTo(1);
    Cli text = Cli.run("diff", scaled, Cli.MODEL, "-p", PROMPT);
    assertThat(text.out())
        .contains("result_norm is 9.50 times the reference's, by output_norm.weight")
        .containsPattern("critical +result_norm")
        .contains("mean KL divergence");
  }

  @Test
  void whatIsNotFiniteComesFirstWhicheverSideHasIt() throws IOException {
    Path broken = edited("blk.1.ffn_down.weight", value -> Float.NaN);
    Cli reference = Cli.run("diff", Cli.MODEL, broken, "-p", PROMPT);
    assertThat(reference.code()).isEqualTo(1);
    assertThat(reference.out().lines().skip(3).findFirst().orElseThrow())
        .contains("not finite", "ffn_out-1 of the reference");
    Cli model = Cli.run("diff", broken, Cli.MODEL, "-p", PROMPT, "--json");
    assertThat(model.code()).isEqualTo(1);
    assertThat(SCHEMA.validate(model.out(), InputFormat.JSON)).isEmpty();
    assertThat(model.json().at("/first_not_finite/tensor").asString()).isEqualTo("ffn_out-1");
    assertThat(model.json().at("/logits/positions").asInt()).isZero();
    assertThat(model.json().at("/logits/not_finite").asInt()).isPositive();
    assertThat(model.json().at("/logits/kl_mean").isNull()).isTrue();
    assertThat(Cli.run("diff", broken, broken, "-p", PROMPT).code()).isEqualTo(1);
    Cli gate =
        Cli.run("check", Cli.MODEL, "--reference", broken, "--only", "reference", "--out", folder);
    assertThat(gate.code()).isEqualTo(1);
    assertThat(gate.out())
        .containsPattern("✘ reference\\.logits.*first not finite is ffn_out-1 of the reference");
  }

  /** A copy of the F32 model with another value for each of one tensor's. */
  private Path edited(String tensor, UnaryOperator<Float> edit) throws IOException {
    Path model = Path.of(Cli.MODEL);
    ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(model)).order(ByteOrder.LITTLE_ENDIAN);
    TensorInfo edited = GgufFile.read(model).tensor(tensor).orElseThrow();
    for (int i = 0; i < edited.elements(); i++) {
      int at = Math.toIntExact(edited.offset()) + 4 * i;
      bytes.putFloat(at, edit.apply(bytes.getFloat(at)));
    }
    return Files.write(folder.resolve("edited.gguf"), bytes.array());
  }

  @Test
  void theTextOfOurOwnIsReadInWindowsOfTheModelsContext() {
    Cli cli =
        Cli.run("diff", GQA + "Q8_0.gguf", GQA + "f16.gguf", "--places", "--no-local", "--json");
    assertThat(cli.code()).as(cli.err()).isZero();
    JsonNode diff = cli.json();
    assertThat(SCHEMA.validate(cli.out(), InputFormat.JSON)).isEmpty();
    assertThat(diff.get("window").asInt()).isEqualTo(256);
    assertThat(diff.get("tokens").asInt()).isGreaterThan(1000);
    assertThat(diff.at("/logits/positions").asInt())
        .isEqualTo(diff.get("tokens").asInt() / 256 * 127);
    assertThat(diff.get("local_absent").asString()).contains("not asked for");
    assertThat(diff.get("nodes").valueStream().map(n -> n.get("site").asString()))
        .doesNotContain("other");
  }

  @Test
  void oneModelWithTwoSettingsNamesTheFirstNodeThatDiffers() {
    Cli cli = Cli.run("diff", Cli.MODEL, "-ctk-b", "q8_0", "-p", PROMPT, "--top", 0);
    assertThat(cli.code()).as(cli.err() + cli.out()).isZero();
    assertThat(cli.out())
        .contains("against itself", "nothing beyond what the arithmetic explains")
        .containsPattern("first to differ .*attention");
    Cli same = Cli.run("diff", Cli.MODEL, Cli.MODEL, "-p", PROMPT);
    assertThat(same.code()).isZero();
    assertThat(same.out()).contains("no node differs by more than 0.001");
    Cli json = Cli.run("diff", Cli.MODEL, "-fa", "off", "-fa-b", "on", "-p", PROMPT, "--json");
    assertThat(SCHEMA.validate(json.out(), InputFormat.JSON)).isEmpty();
    assertThat(json.json().at("/rounding/exact").asInt()).isGreaterThan(100);
    assertThat(json.json().at("/rounding/largest").asDouble()).isBetween(1e-9, 1.0);
    assertThat(json.json().at("/rounding/first").isNull()).isTrue();
  }

  @Test
  void wrongUseIsToldInOneLine() {
    assertFails(2, "nothing to compare with", "diff", Cli.MODEL);
    assertFails(
        2,
        "tinyllama-mha-f32.gguf and tinyllama-gqa-f16.gguf are not the same model: width 128",
        "diff",
        Cli.MODEL,
        GQA + "f16.gguf");
    assertFails(3, "no such file", "diff", "models/none.gguf", Cli.MODEL);
    assertFails(2, "-fa-b takes on, off or auto", "diff", Cli.MODEL, "-fa-b", "maybe");
    assertFails(2, "'nowhere' is not HOST:PORT", "diff", Cli.MODEL, Cli.MODEL, "--rpc", "nowhere");
    assertFails(2, "--tolerance", "diff", Cli.MODEL, Cli.MODEL, "--tolerance", "-1");
  }

  private static void assertFails(int code, String message, Object... args) {
    Cli cli = Cli.run(args);
    assertThat(cli.message()).contains(message);
    assertThat(cli.code()).isEqualTo(code);
    assertThat(cli.out()).isEmpty();
    assertThat(cli.err().lines().count()).isLessThanOrEqualTo(2);
  }
}
