package org.modeltracer.quant;

import java.util.List;
import org.junit.jupiter.api.Test;

class LogitDivergenceTest {
  private static final int WINDOW = 96;

  private static QuantizationReport compare(String reference, String other) {
    try (var comparison =
        Comparison.open(Texts.setup(reference, WINDOW, 32), Texts.setup(other, WINDOW, 32))) {
      int[] tokens = comparison.vocabulary().tokenize(Texts.TEXT, true, false);
      return comparison.run(tokens, ComparisonOptions.defaults(), (done, all) -> {});
    }
  }

  @Test
  void quick() {
    for (String q : List.of("Q8_0", "Q4_K_M", "Q2_K")) {
      long begin = System.nanoTime();
      var report = compare("tinyllama-gqa-f16.gguf", "tinyllama-gqa-" + q + ".gguf");
      System.out.println(q + " " + (System.nanoTime() - begin) / 1e9 + " " + report.logits());
      report.layers().forEach(System.out::println);
      report.nodes().stream().limit(12).forEach(System.out::println);
      System.out.println(report.nodes().size() + " " + report.firstDivergence());
      report.heads().stream().limit(3).forEach(System.out::println);
    }
  }
}
