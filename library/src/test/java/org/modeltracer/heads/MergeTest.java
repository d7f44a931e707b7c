package org.modeltracer.heads;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.testing.Golden;
import org.modeltracer.trace.Json;
import tools.jackson.databind.JsonNode;

/** Many prompts analysed in two halves, then merged, are as if analysed together. */
class MergeTest {
  private static final List<String> TEXTS =
      List.of(
          "The function returns a value to the caller.",
          "If the check fails, you will see where it failed.",
          "a b a b a b a b",
          "Nothing is borrowed for longer than it lives.",
          "When you run the program, the compiler checks that.");

  @Test
  void halvesMergedAreTheWhole() {
    AttentionTrace whole = trace(0, TEXTS.size());
    AttentionTrace left = trace(0, 2);
    AttentionTrace right = trace(2, TEXTS.size());
    left.merge(right);
    Map<String, Double> want = numbers(whole);
    Map<String, Double> have = numbers(left);
    assertThat(have.keySet()).isEqualTo(want.keySet());
    assertThat(have).hasSizeGreaterThan(2000);
    want.forEach(
        (path, value) ->
            assertThat(have.get(path))
                .as(path)
                // The root of a variance that vanishes is the root of its rounding.
                .isCloseTo(
                    value, within((path.endsWith("std") ? 1e-6 : 1e-9) + 1e-9 * Math.abs(value))));
    assertThat(want.get("/prompts")).isEqualTo(TEXTS.size());
  }

  private static AttentionTrace trace(int from, int to) {
    return Analysed.run(
        LlamaRuntime.load(),
        Golden.model("tinyllama-gqa-Q8_0.gguf"),
        Analysed.exact(),
        (trace, session) -> {
          for (int i = from; i < to; i++) {
            int[] ids = session.tokenize(TEXTS.get(i));
            trace.begin(i, ids);
            // Every prompt afresh: what a cache holds of the one before depends on the split.
            session.cache().clear();
            session.evaluate(ids, true);
          }
        });
  }

  private static Map<String, Double> numbers(AttentionTrace trace) {
    var numbers = new TreeMap<String, Double>();
    collect(Json.mapper().valueToTree(trace.analysis()), "", numbers);
    return numbers;
  }

  private static void collect(JsonNode node, String path, Map<String, Double> numbers) {
    if (node.isNumber()) {
      numbers.put(path, node.asDouble());
    } else if (node.isObject()) {
      node.propertyNames().forEach(name -> collect(node.get(name), path + "/" + name, numbers));
    } else if (node.isArray()) {
      for (int i = 0; i < node.size(); i++) {
        collect(node.get(i), path + "/" + i, numbers);
      }
    }
  }
}
