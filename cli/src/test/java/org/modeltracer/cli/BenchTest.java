package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.networknt.schema.Schema;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.modeltracer.cli.terminal.Spread;
import org.modeltracer.gate.Schemas;
import tools.jackson.databind.JsonNode;

@Tag("alone")
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
    JsonNode modes = cli.json().get("modes");
    assertThat(modes.valueStream().map(m -> m.get("mode").asString()))
        .containsExactly("untraced", "idle", "lightweight", "full");
    for (JsonNode mode : modes) {
      for (String quantity : mode.propertyNames()) {
        if (mode.get(quantity).isObject()) {
          double median = mode.get(quantity).get("median").asDouble();
          assertThat(median)
              .isBetween(
                  mode.get(quantity).get("min").asDouble(),
                  mode.get(quantity).get("max").asDouble());
          assertThat(quantity.startsWith("observed") || median > 0).as(mode + quantity).isTrue();
        }
      }
    }
    assertThat(median(modes, 0, "generation_time_ratio")).isEqualTo(1);
    assertThat(median(modes, 0, "observed_nodes_per_token")).isZero();
    assertThat(median(modes, 1, "observed_nodes_per_token")).isZero();
    assertThat(median(modes, 2, "observed_nodes_per_token")).isGreaterThan(4 * 4);
    assertThat(median(modes, 3, "observed_nodes_per_token"))
        .as("four layers of attention more")
        .isCloseTo(median(modes, 2, "observed_nodes_per_token") + 4, within(1e-9));
    assertThat(median(modes, 2, "observed_bytes_per_token")).isGreaterThan(4 * 4 * 128 * 4);
  }

  private static double median(JsonNode modes, int mode, String quantity) {
    return modes.get(mode).get(quantity).get("median").asDouble();
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
