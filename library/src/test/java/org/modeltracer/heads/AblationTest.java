package org.modeltracer.heads;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.modeltracer.attention.report.AttentionLayer;
import org.modeltracer.attention.report.HeadRedundancy;
import org.modeltracer.attention.report.HeadRedundancy.EssentialHead;
import org.modeltracer.attention.report.Pruning;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.model.HeadId;
import org.modeltracer.testing.Golden;
import tools.jackson.databind.JsonNode;

/**
 * Do output norms tell which heads matter? Compared with what zeroing each head does to the loss.
 *
 * <p>The numbers are those of docs/attention.md: should they change, change them there.
 */
class AblationTest {
  private static final List<String> TEXTS =
      List.of(
          "The function returns a value to the caller. If the value is dropped, the memory is"
              + " freed.",
          "When you run the program, the compiler checks that every reference is valid for as long"
              + " as it is used. If the check fails, you will see an error.",
          "This lint detects unused variables. To silence it, name the variable with an"
              + " underscore.",
          "A closure can capture the values of the scope in which it is defined.");

  private record Head(String name, double norm, double share, double loss) {}

  @ParameterizedTest
  @CsvSource({
    "tinyllama-mha, tinyllama-mha-f32.gguf, 0.547, 0.662, 0.75",
    "tinyllama-gqa, tinyllama-gqa-f16.gguf, 0.686, 0.271, 0.655"
  })
  void rankCorrelationIsAsDocumented(
      String name, String file, double norms, double shares, double insideLayers) {
    List<Head> heads = heads(name, file);
    assertThat(spearman(heads, Head::norm)).as(table(heads)).isEqualTo(norms, within(0.02));
    assertThat(spearman(heads, Head::share)).isEqualTo(shares, within(0.02));
    double inside =
        heads.stream()
            .collect(Collectors.groupingBy(head -> head.name.substring(0, 2)))
            .values()
            .stream()
            .mapToDouble(layer -> spearman(layer, Head::norm))
            .average()
            .orElseThrow();
    assertThat(inside).isEqualTo(insideLayers, within(0.02));
  }

  /** No advice that the true ablation contradicts: what hurts is essential, nothing is promised. */
  @ParameterizedTest
  @CsvSource({
    "tinyllama-mha, tinyllama-mha-f32.gguf, 2",
    "tinyllama-gqa, tinyllama-gqa-f16.gguf, 2"
  })
  void headsWhoseLossHurtsAreEssentialAndNoRiskIsLow(String name, String file, int hurting) {
    HeadRedundancy advice = trace(file).analysis().headSpecialization().redundancyAnalysis();
    JsonNode ablation = Golden.json("ablation.json").get(name);
    double whole = ablation.get("none").get("text_nll").asDouble();
    var hurt = new ArrayList<String>();
    for (var zeroed : ablation.properties()) {
      double loss = zeroed.getValue().get("text_nll").asDouble() - whole;
      if (loss > 0.5) hurt.add(zeroed.getKey());
    }
    assertThat(hurt).hasSize(hurting);
    List<HeadId> essential = advice.essentialHeads().stream().map(EssentialHead::id).toList();
    assertThat(essential).extracting(HeadId::toString).containsAll(hurt);
    assertThat(essential).hasSizeLessThan(name.endsWith("mha") ? 8 : 16);
    for (Pruning.Recommendation one : advice.pruningRecommendations()) {
      assertThat(one.verdict()).isEqualTo(Pruning.Verdict.NOT_ENOUGH_EVIDENCE);
      assertThat(one.expectedImpact().riskLevel()).isGreaterThan(Pruning.Risk.LOW);
      assertThat(one.heads()).doesNotContainAnyElementsOf(essential);
    }
    assertThat(advice.ckaPositions()).isEqualTo((int) advice.outputPositions() - TEXTS.size());
  }

  /** The levels of risk against the loss of every head that was zeroed alone. */
  @ParameterizedTest
  @CsvSource({"tinyllama-mha, tinyllama-mha-f32.gguf", "tinyllama-gqa, tinyllama-gqa-f16.gguf"})
  void whatWritesLittleOfTheResidualStreamCostsLittle(String name, String file) {
    AttentionTrace trace = trace(file);
    var flows = trace.analysis().attentionFlow().layerFlowStats();
    for (Head head : heads(trace, name)) {
      var flow = Objects.requireNonNull(flows.get(head.name.charAt(1) - '0'));
      double share = head.norm / flow.outgoingFlow();
      double most = share <= 0.02 ? 0.02 : share <= 0.1 ? 0.1 : share <= 0.2 ? 0.4 : 4;
      assertThat(head.loss).as(head + " " + share).isLessThan(most);
    }
  }

  private static List<Head> heads(String name, String file) {
    return heads(trace(file), name);
  }

  private static AttentionTrace trace(String file) {
    return Analysed.run(
        LlamaRuntime.load(),
        Golden.model(file),
        Analysed.exact(),
        (analysis, session) -> {
          for (String text : TEXTS) {
            int[] ids = session.tokenize(text);
            analysis.begin(ids);
            session.cache().clear();
            session.evaluate(ids, true);
          }
        });
  }

  private static List<Head> heads(AttentionTrace trace, String name) {
    JsonNode ablation = Golden.json("ablation.json").get(name);
    double whole = ablation.get("none").get("text_nll").asDouble();
    var heads = new ArrayList<Head>();
    for (AttentionLayer layer : trace.analysis().attentionWeights().values()) {
      double all = layer.heads().values().stream().mapToDouble(AblationTest::norm).sum();
      layer
          .heads()
          .forEach(
              (index, head) -> {
                String id = "L" + layer.layer() + "H" + index;
                double loss = ablation.get(id).get("text_nll").asDouble() - whole;
                heads.add(new Head(id, norm(head), norm(head) / all, loss));
              });
    }
    return heads;
  }

  private static double norm(AttentionLayer.Head head) {
    return Objects.requireNonNull(head.outputNorm()).mean();
  }

  private static double spearman(List<Head> heads, ToDoubleFunction<Head> value) {
    double[] a = ranks(heads.stream().mapToDouble(value).toArray());
    double[] b = ranks(heads.stream().mapToDouble(Head::loss).toArray());
    int n = a.length;
    double sum = IntStream.range(0, n).mapToDouble(i -> (a[i] - b[i]) * (a[i] - b[i])).sum();
    return 1 - 6 * sum / (n * ((double) n * n - 1));
  }

  private static double[] ranks(double[] values) {
    double[] ranks = new double[values.length];
    int[] order =
        IntStream.range(0, values.length)
            .boxed()
            .sorted(Comparator.comparingDouble(i -> values[i]))
            .mapToInt(i -> i)
            .toArray();
    for (int r = 0; r < order.length; r++) {
      ranks[order[r]] = r;
    }
    return ranks;
  }

  private static String table(List<Head> heads) {
    var table = new StringBuilder("\n");
    heads.stream()
        .sorted(Comparator.comparingDouble(h -> -h.loss))
        .forEach(
            h ->
                table.append(
                    "| %s | %.2f | %.1f %% | %+.3f |%n"
                        .formatted(h.name, h.norm, 100 * h.share, h.loss)));
    return table.toString();
  }
}
