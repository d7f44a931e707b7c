package org.modeltracer.sparse;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.session.TracedSession;
import org.modeltracer.sparse.IndexedModel.Kind;
import org.modeltracer.testing.Golden;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;

/** Attention over all keys beside attention over the selected ones, against brute force. */
class ContrastTest {
  private static final LlamaRuntime RUNTIME = LlamaRuntime.load();
  private static final int K = IndexedModel.TOP_K;

  @TempDir private Path folder;

  private interface Work<T> {
    T of(TracedSession session, ModelTracer tracer);
  }

  private static <T> T run(Path file, Work<T> work) {
    try (var model = RUNTIME.open(file);
        var tracer = ModelTracer.quiet(TracerConfig.builder().attention(true).build());
        var session =
            TracedSession.open(model, IndexerTraceTest.options(FlashAttention.OFF, 256), tracer)) {
      return work.of(session, tracer);
    }
  }

  private static Set<Integer> largest(double[] scores) {
    return Set.copyOf(
        IntStream.range(0, scores.length)
            .boxed()
            .sorted(Comparator.comparingDouble(i -> -scores[i]))
            .limit(K)
            .toList());
  }

  private static double entropy(double[] weights) {
    double sum = Arrays.stream(weights).sum();
    return -Arrays.stream(weights).filter(w -> w > 0).map(w -> w / sum * Math.log(w / sum)).sum();
  }

  @Test
  void entropySinkAndDistancesWithAndWithoutTheSelection() {
    int[] prompt = IndexedModel.prompt(100);
    double[][] attention = IndexedModel.attention(prompt);
    double[][] scores = IndexedModel.indexScores(Kind.SHUFFLED, prompt);
    double all = 0;
    double selected = 0;
    double sink = 0;
    double sinkSelected = 0;
    var profile = new double[8];
    var profileSelected = new double[8];
    int queries = prompt.length - K;
    for (int t = K; t < prompt.length; t++) {
      Set<Integer> kept = largest(scores[t]);
      double[] row = attention[t];
      var cut = new double[row.length];
      kept.forEach(s -> cut[s] = row[s]);
      double mass = Arrays.stream(cut).sum();
      all += entropy(row) / queries;
      selected += entropy(cut) / queries;
      for (int s = 0; s <= t; s++) {
        int bin = t == s ? 0 : 1 + (int) (Math.log(t - s) / Math.log(2) + 1e-9);
        profile[bin] += row[s] / queries;
        profileSelected[bin] += cut[s] / mass / queries;
        sink += s < 4 ? row[s] / queries : 0;
        sinkSelected += s < 4 ? cut[s] / mass / queries : 0;
      }
    }
    IndexerReport report =
        run(
            IndexedModel.write(Kind.SHUFFLED, folder),
            (session, tracer) -> {
              try (var trace = IndexerTrace.attach(session)) {
                session.evaluate(prompt, false);
                return trace.report();
              }
            });
    double moved = 0;
    for (int b = 0; b < 8; b++) {
      moved += Math.abs(profile[b] - profileSelected[b]) / 2;
    }
    for (IndexedLayer layer : report.layers()) {
      HeadContrast head = layer.contrasts().getFirst();
      assertThat(head.queries()).isEqualTo(queries);
      assertThat(head.recall()).isCloseTo(layer.recall(), within(1e-6));
      assertThat(head.entropy()).isCloseTo(all, within(5e-3));
      assertThat(head.entropySelected()).isCloseTo(selected, within(2e-2));
      assertThat(head.sink()).isCloseTo(sink, within(2e-3));
      assertThat(head.sinkSelected()).isCloseTo(sinkSelected, within(5e-3));
      assertThat(head.profile()).containsExactly(profile, within(2e-3));
      assertThat(head.profileSelected()).containsExactly(profileSelected, within(1e-2));
      assertThat(head.moved()).isCloseTo(moved, within(1e-2));
      MarkedQuery marked = layer.marked();
      assertThat(marked.query()).isEqualTo(prompt.length - 1);
      assertThat(marked.selected()).hasSize(K).isSorted();
      Set<Integer> last = largest(scores[prompt.length - 1]);
      assertThat(Arrays.stream(marked.selected()).filter(last::contains).count())
          .isGreaterThanOrEqualTo(K - 1);
      int heaviest =
          IntStream.range(0, prompt.length)
              .filter(s -> Arrays.binarySearch(marked.selected(), s) < 0)
              .boxed()
              .max(Comparator.comparingDouble(s -> attention[prompt.length - 1][s]))
              .orElseThrow();
      assertThat(marked.missed().getFirst().position()).isEqualTo(heaviest);
      assertThat(marked.missed().getFirst().attention())
          .isCloseTo(attention[prompt.length - 1][heaviest], within(5e-3));
    }
  }

  /** What all of a prompt's positions see is what they see of a longer one. */
  @Test
  void aPromptCutAtALengthIsAPromptOfThatLength() {
    Path file = IndexedModel.write(Kind.SHUFFLED, folder);
    List<LengthReport> reports =
        run(
            file,
            (session, tracer) ->
                LengthRuns.of(
                    session,
                    tracer,
                    List.of(IndexedModel.prompt(120), IndexedModel.prompt(60)),
                    List.of(96, 48, 130)));
    assertThat(reports).extracting(LengthReport::length).containsExactly(48, 96);
    assertThat(reports).extracting(LengthReport::prompts).containsExactly(2, 1);
    IndexerReport alone =
        run(
            file,
            (session, tracer) -> {
              try (var trace = IndexerTrace.attach(session)) {
                session.evaluate(IndexedModel.prompt(96), false);
                return trace.report();
              }
            });
    for (int l = 0; l < 2; l++) {
      LengthReport.Layer layer = reports.getLast().layers().get(l);
      IndexedLayer same = alone.layers().get(l);
      assertThat(layer.queries()).isEqualTo(96 - K);
      assertThat(layer.recall()).isEqualTo(same.recall());
      assertThat(layer.heads().getFirst().attention())
          .usingRecursiveComparison()
          .isEqualTo(same.contrasts().getFirst());
      HeadContrast shorter = reports.getFirst().layers().get(l).heads().getFirst().attention();
      assertThat(reports.getFirst().layers().get(l).heads().getFirst().changed()).isNull();
      assertThat(layer.heads().getFirst().changed())
          .isEqualTo(same.contrasts().getFirst().distanceTo(shorter))
          .isPositive();
    }
  }

  /** Rows of a dense model are those that another program computed. */
  @Test
  void ofADenseModelTheRowsThatItShows() {
    Golden golden = Golden.load("tinyllama-mha", "text64");
    int n = 32;
    List<LengthReport> reports =
        run(
            golden.file(),
            (session, tracer) ->
                LengthRuns.of(session, tracer, List.of(golden.ids()), List.of(16, n)));
    LengthReport report = reports.getLast();
    assertThat(report.layers()).hasSize(golden.layers());
    for (LengthReport.Layer layer : report.layers()) {
      assertThat(layer.recall()).isNull();
      for (LengthReport.Head head : layer.heads()) {
        double entropy = 0;
        double sink = 0;
        for (int t = 0; t < n; t++) {
          var row = new double[t + 1];
          for (int s = 0; s <= t; s++) {
            row[s] = golden.at("attn", layer.layer(), head.attention().head(), t, s);
            sink += s < 4 ? row[s] / n : 0;
          }
          entropy += entropy(row) / n;
        }
        assertThat(head.attention().queries()).isEqualTo(n);
        assertThat(head.attention().entropy()).isCloseTo(entropy, within(2e-2));
        assertThat(head.attention().sink()).isCloseTo(sink, within(2e-2));
        assertThat(head.attention().moved()).isNull();
        assertThat(head.changed()).isBetween(0.0, 1.0);
      }
    }
  }

  @Test
  void variationIsHalfTheDifference() {
    assertThat(HeadContrast.variation(new double[] {1}, new double[] {0, 0.5, 0.5})).isEqualTo(1);
    assertThat(HeadContrast.variation(new double[] {0.75, 0.25}, new double[] {0.5, 0.5}))
        .isEqualTo(0.25);
    assertThat(HeadContrast.variation(new double[] {0.5, 0.5}, new double[] {0.5, 0.5})).isZero();
  }
}
