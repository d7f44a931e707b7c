package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.networknt.schema.Schema;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.cli.terminal.Spread;
import org.modeltracer.gate.Schemas;
import org.modeltracer.llama.SilentCallback;
import tools.jackson.databind.JsonNode;

class BenchTest {
  @Test
  void tellsWhatEachModeCosts() {
    Cli cli =
        Cli.run(
            "bench",
            "-m",
            Cli.MODEL,
            "--rounds",
            2,
            "--prompt-tokens",
            40,
            "-n",
            8,
            "-ub",
            16,
            "-b",
            16,
            "--json");
    assertThat(cli.code()).as(cli.err()).isZero();
    Schema schema = Schemas.of(BenchCommand.class, "bench.schema.json");
    assertThat(Schemas.errors(schema, cli.out())).isEmpty();
    JsonNode modes = cli.json().get("contexts").get(0).get("modes");
    assertThat(modes.valueStream().map(m -> m.get("mode").asString()))
        .filteredOn(mode -> !mode.equals("C callback"))
        .containsExactly("untraced", "idle", "lightweight", "full", "full, lens", "every node");
    for (JsonNode mode : modes) {
      for (String quantity : mode.propertyNames()) {
        if (mode.get(quantity).isObject()) {
          double median = mode.get(quantity).get("median").asDouble();
          boolean ratio = quantity.endsWith("_ratio");
          assertThat(median)
              .isBetween(
                  mode.get(quantity).get(ratio ? "low" : "min").asDouble(),
                  mode.get(quantity).get(ratio ? "high" : "max").asDouble());
          assertThat(
                  quantity.startsWith("observed")
                      || quantity.endsWith("microseconds")
                      || median > 0)
              .as(mode + quantity)
              .isTrue();
        }
      }
    }
    assertThat(median(modes, "untraced", "generation_time_ratio")).isEqualTo(1);
    assertThat(median(modes, "untraced", "observed_nodes_per_token")).isZero();
    assertThat(median(modes, "idle", "observed_nodes_per_token")).isZero();
    double light = median(modes, "lightweight", "observed_nodes_per_token");
    assertThat(light).isGreaterThan(4 * 4);
    assertThat(median(modes, "full", "observed_nodes_per_token"))
        .as("four layers of attention and of values more")
        .isCloseTo(light + 8, within(1e-9));
    assertThat(median(modes, "lightweight", "observed_bytes_per_token"))
        .isGreaterThan(4 * 4 * 128 * 4);
    if (SilentCallback.isBuilt()) {
      assertThat(median(modes, "C callback", "observed_nodes_per_token"))
          .as("the same nodes, and those with tokens and positions not")
          .isCloseTo(median(modes, "full", "observed_nodes_per_token"), within(6.0));
    }
  }

  private static double median(JsonNode modes, String mode, String quantity) {
    for (JsonNode one : modes) {
      if (one.get("mode").asString().equals(mode)) {
        return one.get(quantity).get("median").asDouble();
      }
    }
    throw new AssertionError("no mode " + mode);
  }

  @Test
  void aModelIsMadeMeasuredAndDeleted(@TempDir Path folder) {
    Path kept = folder.resolve("kept.gguf");
    Cli cli =
        Cli.run(
            "bench",
            "--synthetic",
            "125m",
            "--keep",
            kept,
            "--rounds",
            1,
            "--contexts",
            "4,8",
            "--modes",
            "FULL,every-node",
            "-n",
            4,
            "-t",
            1);
    assertThat(cli.code()).as(cli.err()).isZero();
    assertThat(cli.out()).contains("4 tokens of prompt", "8 tokens of prompt");
    assertThat(kept).exists();
    assertThat(Cli.run("bench", "--synthetic", "7t").err()).contains("no size 7t");
    assertThat(Cli.run("bench", "--synthetic", "125m", kept).err()).contains("not both");
    assertThat(Cli.run("bench", "--synthetic", "125m", "--quantize", "iq2_xxs").err())
        .contains("ggml makes no iq2_xxs");
  }

  /** Intervals of 95 % hold the true ratio about as often. */
  @Test
  void intervalsHoldWhatTheySay() {
    var random = new Random(7);
    int held = 0;
    int experiments = 300;
    for (int e = 0; e < experiments; e++) {
      double[] base = new double[30];
      double[] times = new double[30];
      for (int i = 0; i < base.length; i++) {
        double machine = Math.exp(0.3 * random.nextGaussian());
        base[i] = machine * Math.exp(0.02 * random.nextGaussian());
        times[i] = 1.1 * machine * Math.exp(0.02 * random.nextGaussian());
      }
      Interval found = Interval.of(List.of(new Interval.Pairs(times, base)));
      held += found.low() <= 1.1 && 1.1 <= found.high() ? 1 : 0;
    }
    assertThat((double) held / experiments).isBetween(0.91, 0.99);
  }

  @Test
  void fillsASmallContextToTheLastToken() {
    Cli cli =
        Cli.run(
            "bench",
            "-m",
            "models/rand-gpt2-f32.gguf",
            "--rounds",
            1,
            "--prompt-tokens",
            200,
            "-n",
            56);
    assertThat(cli.code()).as(cli.err()).isZero();
    assertThat(cli.err()).isEmpty();
    assertThat(cli.out()).contains("untraced", "idle", "lightweight", "full");
  }

  @Test
  void theMiddleOfMeasurements() {
    assertThat(Spread.of(3, 1, 2)).isEqualTo(new Spread(2, 1, 3));
    assertThat(Spread.of(4, 1, 2, 3)).isEqualTo(new Spread(2.5, 1, 4));
    assertThat(Spread.of(5)).isEqualTo(new Spread(5, 5, 5));
    assertThat(new Spread(2, 1, 3).text("%.1f")).isEqualTo("2.0 (1.0–3.0)");
  }
}
