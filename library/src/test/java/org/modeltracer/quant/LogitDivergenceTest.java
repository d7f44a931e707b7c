package org.modeltracer.quant;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.modeltracer.language.LogitDivergence;

/** Against llama-perplexity's definition, worked out again from the logits of separate runs. */
class LogitDivergenceTest {
  private static final int WINDOW = 96;
  private static final ComparisonOptions QUICK =
      ComparisonOptions.defaults().withEveryNode(false).withLocal(false);

  private static LogitDivergence compare(String reference, String other) {
    try (var comparison = Comparison.open(setup(reference), setup(other))) {
      return logits(comparison.run(tokens(comparison), QUICK, (done, all) -> {}));
    }
  }

  private static LogitDivergence logits(QuantizationReport report) {
    LogitDivergence logits = report.logits();
    assertThat(logits).isNotNull();
    return logits;
  }

  private static Setup setup(String model) {
    return Texts.setup(model, WINDOW, 32);
  }

  private static int[] tokens(Comparison comparison) {
    return comparison.vocabulary().tokenize(Texts.TEXT, true, false);
  }

  @Test
  void coarserQuantizationDivergesMore() {
    var gqa =
        List.of(
            compare("tinyllama-gqa-f16.gguf", "tinyllama-gqa-f16.gguf"),
            compare("tinyllama-gqa-f16.gguf", "tinyllama-gqa-Q8_0.gguf"),
            compare("tinyllama-gqa-f16.gguf", "tinyllama-gqa-Q4_K_M.gguf"),
            compare("tinyllama-gqa-f16.gguf", "tinyllama-gqa-Q2_K.gguf"));
    assertThat(gqa.getFirst().klMax()).isZero();
    assertThat(gqa.getFirst().sameTop1()).isEqualTo(1);
    assertRising(gqa);
    assertRising(
        List.of(
            compare("tinyllama-mha-f32.gguf", "tinyllama-mha-Q8_0.gguf"),
            compare("tinyllama-mha-f32.gguf", "tinyllama-mha-Q4_0.gguf")));
  }

  private static void assertRising(List<LogitDivergence> logits) {
    for (int i = 1; i < logits.size(); i++) {
      LogitDivergence less = logits.get(i - 1);
      LogitDivergence more = logits.get(i);
      assertThat(more.klMean()).isGreaterThan(5 * less.klMean()).isPositive();
      assertThat(more.klMedian()).isGreaterThan(less.klMedian());
      assertThat(more.klP90()).isGreaterThan(less.klP90());
      assertThat(more.klP99()).isGreaterThan(less.klP99());
      assertThat(more.klMax()).isGreaterThan(less.klMax());
      assertThat(more.sameTop1()).isLessThanOrEqualTo(less.sameTop1());
    }
  }

  @ParameterizedTest
  @CsvSource({
    "tinyllama-gqa-f16.gguf, tinyllama-gqa-Q8_0.gguf",
    "tinyllama-gqa-f16.gguf, tinyllama-gqa-Q4_K_M.gguf",
    "tinyllama-gqa-f16.gguf, tinyllama-gqa-Q2_K.gguf",
    "tinyllama-mha-f32.gguf, tinyllama-mha-Q8_0.gguf",
    "tinyllama-mha-f32.gguf, tinyllama-mha-Q4_0.gguf"
  })
  void isWhatLlamaPerplexityDefines(String reference, String other) {
    try (var comparison = Comparison.open(setup(reference), setup(other))) {
      int[] tokens = tokens(comparison);
      LogitDivergence found = logits(comparison.run(tokens, QUICK, (done, all) -> {}));
      var expected = new Perplexity();
      for (int from = 0; from + WINDOW <= tokens.length; from += WINDOW) {
        int[] window = Arrays.copyOfRange(tokens, from, from + WINDOW);
        window[0] = comparison.vocabulary().bos();
        expected.add(
            Texts.logits(setup(reference), window), Texts.logits(setup(other), window), window);
      }
      Offset<Double> exact = within(1e-9);
      assertThat(found.positions()).isEqualTo(expected.divergences.size()).isGreaterThan(90);
      assertThat(found.klMean()).isCloseTo(expected.mean(), exact);
      assertThat(found.klMedian()).isCloseTo(expected.median(), exact);
      assertThat(found.klP90()).isCloseTo(expected.percentile(0.9), exact);
      assertThat(found.klP99()).isCloseTo(expected.percentile(0.99), exact);
      assertThat(found.klMax()).isCloseTo(expected.percentile(1), exact);
      assertThat(found.flips()).isEqualTo(expected.flips);
      assertThat(found.sameTop1())
          .isCloseTo(1 - (double) expected.flips / found.positions(), exact);
      assertThat(found.examples()).hasSize(Math.min(10, expected.flips));
      assertThat(found.perplexityReference())
          .isCloseTo(Math.exp(expected.nllReference / found.positions()), exact);
      assertThat(found.perplexity()).isCloseTo(Math.exp(expected.nll / found.positions()), exact);
      assertThat(found.perplexityDifference())
          .isCloseTo(found.perplexity() - found.perplexityReference(), exact);
      // It keeps the reference's logarithms in 16 bits and leaves out those below −16.
      assertThat(found.klMean()).isCloseTo(expected.stored / found.positions(), within(2e-5));
    }
  }

  @Test
  void aShortTextIsOneWindow() {
    try (var comparison =
        Comparison.open(setup("tinyllama-mha-f32.gguf"), setup("tinyllama-mha-Q8_0.gguf"))) {
      int[] tokens = Arrays.copyOf(tokens(comparison), 9);
      assertThat(logits(comparison.run(tokens, QUICK, (done, all) -> {})).positions()).isEqualTo(4);
      // One token has none after it: there is nothing to predict.
      assertThat(comparison.run(new int[] {5}, QUICK, (done, all) -> {}).logits()).isNull();
    }
  }

  /** llama-perplexity's numbers, first exactly, then with the rounding of its file of logits. */
  private static final class Perplexity {
    private final List<Double> divergences = new ArrayList<>();
    private int flips;
    private double nll;
    private double nllReference;
    private double stored;

    void add(float[][] reference, float[][] other, int[] tokens) {
      int n = tokens.length;
      for (int i = n / 2; i < n - 1; i++) {
        double[] p = logSoftmax(reference[i]);
        double[] q = logSoftmax(other[i]);
        double kl = 0;
        for (int t = 0; t < p.length; t++) {
          kl += Math.exp(p[t]) * (p[t] - q[t]);
        }
        divergences.add(kl);
        nllReference -= p[tokens[i + 1]];
        nll -= q[tokens[i + 1]];
        flips += top(p) == top(q) ? 0 : 1;
        stored += stored(reference[i], q);
      }
    }

    private static double stored(float[] logits, double[] q) {
      double max = Float.NEGATIVE_INFINITY;
      double min = Float.POSITIVE_INFINITY;
      for (float logit : logits) {
        max = Math.max(max, logit);
        min = Math.min(min, logit);
      }
      min = Math.max(min, max - 16);
      double sum = 0;
      for (float logit : logits) {
        sum += Math.exp(logit - max);
      }
      double lowest = min - max - Math.log(sum);
      double scale = (max - min) / 65535;
      double kl = 0;
      for (int t = 0; t < logits.length; t++) {
        double p = scale * Math.rint(Math.max(0, (logits[t] - min) / scale)) + lowest;
        if (p > -16) {
          kl += Math.exp(p) * (p - q[t]);
        }
      }
      return kl;
    }

    private static double[] logSoftmax(float[] logits) {
      double max = Float.NEGATIVE_INFINITY;
      for (float logit : logits) {
        max = Math.max(max, logit);
      }
      double sum = 0;
      for (float logit : logits) {
        sum += Math.exp(logit - max);
      }
      double[] result = new double[logits.length];
      for (int t = 0; t < logits.length; t++) {
        result[t] = logits[t] - max - Math.log(sum);
      }
      return result;
    }

    private static int top(double[] values) {
      int top = 0;
      for (int i = 0; i < values.length; i++) {
        top = values[i] > values[top] ? i : top;
      }
      return top;
    }

    double mean() {
      return divergences.stream().mapToDouble(d -> d).average().orElseThrow();
    }

    double median() {
      double[] v = sorted();
      return v.length % 2 == 0 ? (v[v.length / 2] + v[v.length / 2 - 1]) / 2 : v[v.length / 2];
    }

    double percentile(double share) {
      double[] v = sorted();
      double p = share * (v.length - 1);
      int i = (int) p;
      p -= i;
      return (1 - p) * v[i] + p * v[Math.min(i + 1, v.length - 1)];
    }

    private double[] sorted() {
      return divergences.stream().mapToDouble(d -> d).sorted().toArray();
    }
  }
}
