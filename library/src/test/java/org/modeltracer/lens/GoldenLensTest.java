package org.modeltracer.lens;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Runtimes;
import org.modeltracer.testing.Golden;
import tools.jackson.databind.JsonNode;

/** The lens of every reference model against PyTorch's. */
@Tag("truth")
class GoldenLensTest {
  private static final int TOP = 5;
  private static final double EXACT = 1e-3;

  /** ggml evaluates GELU through an F16 table, which moves the states; seen: 1.1e-3. */
  private static final double GELU = 2e-3;

  /** The reference has the weights before they were rounded to F16; seen: 1.6e-3. */
  private static final double ROUNDED_WEIGHTS = 3e-3;

  static List<Arguments> goldens() {
    var all = new ArrayList<Arguments>();
    Runtimes.all()
        .forEach(
            runtime ->
                Golden.all().stream()
                    .filter(golden -> loads(runtime.getPayload(), golden))
                    .forEach(golden -> all.add(Arguments.of(runtime, golden))));
    return all;
  }

  /** b4916 ends the process over gemma2's number of layers, and wants gpt2 untied. */
  static boolean loads(LlamaRuntime runtime, Golden golden) {
    return !runtime.version().equals("b4916") || !golden.model().matches("rand-(gemma2|gpt2)");
  }

  private static double tolerance(Golden golden) {
    if (!golden.exactFile()) {
      return ROUNDED_WEIGHTS;
    }
    return golden.model().matches("rand-(gemma2|gpt2)") ? GELU : EXACT;
  }

  @ParameterizedTest
  @MethodSource("goldens")
  void tableOfTheLastPosition(LlamaRuntime runtime, Golden golden) {
    var run =
        LensRun.of(runtime, golden.file(), golden.ids(), new LensOptions(false, TOP, List.of()), 0);
    assertThat(run.readings()).hasSize(1);
    PositionReading reading = run.readings().getFirst();
    assertThat(reading.position()).isEqualTo(golden.ids().length - 1);
    assertThat(reading.token()).isEqualTo(golden.ids()[golden.ids().length - 1]);
    assertThat(reading.next()).isNull();
    JsonNode table =
        Golden.json(golden.model() + ".metrics.json")
            .at("/prompts/" + golden.prompt() + "/logit_lens_last_pos");
    assertThat(reading.layers()).hasSameSizeAs(table).hasSize(golden.layers() + 1);
    double tolerance = tolerance(golden);
    for (int i = 0; i < table.size(); i++) {
      require(reading.layers().get(i), table.get(i), tolerance);
    }
    assertThat(reading.decisiveLayer()).isEqualTo(decisiveLayer(table));
  }

  private static void require(LayerReading layer, JsonNode want, double tolerance) {
    assertThat(layer.layer()).isEqualTo(want.get("layer").asInt());
    assertThat(layer.top()).hasSize(TOP);
    for (int k = 0; k < TOP; k++) {
      TokenScore score = layer.top().get(k);
      JsonNode token = want.get("top5").get(k);
      assertThat(score.id()).isEqualTo(token.get("id").asInt());
      assertThat(score.logit()).isCloseTo(token.get("logit").asDouble(), within(tolerance));
      assertThat(score.probability()).isCloseTo(token.get("prob").asDouble(), within(tolerance));
    }
    assertThat(layer.rankOfFinal()).isEqualTo(want.get("rank_of_final_top1").asInt());
    assertThat(layer.probabilityOfFinal())
        .isCloseTo(want.get("prob_of_final_top1").asDouble(), within(tolerance));
    assertThat(layer.entropy()).isCloseTo(want.get("entropy_nats").asDouble(), within(tolerance));
    assertThat(layer.klToFinal())
        .isCloseTo(want.get("kl_final_vs_layer_nats").asDouble(), within(tolerance));
  }

  /** The first layer of the table from which on the final top-1 is first. */
  private static int decisiveLayer(JsonNode table) {
    int decisive = table.size() - 2;
    for (int i = table.size() - 1; i >= 0; i--) {
      if (table.get(i).get("rank_of_final_top1").asInt() != 0) {
        break;
      }
      decisive = table.get(i).get("layer").asInt();
    }
    return decisive;
  }
}
