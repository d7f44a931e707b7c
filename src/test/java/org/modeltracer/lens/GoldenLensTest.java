package org.modeltracer.lens;


import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Runtimes;
import org.modeltracer.testing.Golden;
import tools.jackson.databind.JsonNode;

/** The lens of every reference model against PyTorch's. */
class GoldenLensTest {
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
  private static boolean loads(LlamaRuntime runtime, Golden golden) {
    return !runtime.version().equals("b4916") || !golden.model().matches("rand-(gemma2|gpt2)");
  }

  @ParameterizedTest
  @MethodSource("goldens")
  void tableOfTheLastPosition(LlamaRuntime runtime, Golden golden) {
    var run =
        LensRun.of(runtime, golden.file(), golden.ids(), new LensOptions(false, 5, List.of()), 0);
    System.out.println(golden + " " + run.steps());
    PositionReading reading = run.readings().getFirst();
    JsonNode want =
        Golden.json(golden.model() + ".metrics.json")
            .at("/prompts/" + golden.prompt() + "/logit_lens_last_pos");
    for (int i = 0; i < want.size(); i++) {
      LayerReading layer = reading.layers().get(i);
      JsonNode w = want.get(i);
      double worst = 0;
      String ids = "";
      String wids = "";
      for (int k = 0; k < 5; k++) {
        ids += layer.top().get(k).id() + " ";
        wids += w.get("top5").get(k).get("id").asInt() + " ";
        worst =
            Math.max(
                worst,
                Math.abs(
                    layer.top().get(k).logit() - w.get("top5").get(k).get("logit").asDouble()));
      }
      System.out.printf(
          "%2d %s %.2e rank %d %d kl %.6g %.6g ent %.6g %.6g p %.6g %.6g diff %s%n",
          layer.layer(),
          ids.equals(wids) ? "ids equal" : ids + "|" + wids,
          worst,
          layer.rankOfFinal(),
          w.get("rank_of_final_top1").asInt(),
          layer.klToFinal(),
          w.get("kl_final_vs_layer_nats").asDouble(),
          layer.entropy(),
          w.get("entropy_nats").asDouble(),
          layer.probabilityOfFinal(),
          w.get("prob_of_final_top1").asDouble(),
          reading.difference());
    }
  }
}
