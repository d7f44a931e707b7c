package org.modeltracer.heads;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.attention.report.HeadLabel;
import org.modeltracer.attention.report.HeadSpecializationType;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.testing.Architectures;
import org.modeltracer.testing.Golden;
import org.modeltracer.testing.Sample;

/** Heads of random weights have no purpose: a label they get is one that chance gives. */
class RandomModelsTest {
  static List<Path> files() {
    var files = new ArrayList<>(Sample.of(Architectures.all(), 5));
    Golden.MODELS.stream()
        .filter(name -> name.startsWith("rand-"))
        .forEach(name -> files.add(Golden.load(name, "short").file()));
    return files;
  }

  @ParameterizedTest
  @MethodSource("files")
  void haveNoLabelButMixed(Path file) {
    var runtime = LlamaRuntime.load();
    var random = new Random(12);
    for (int length : new int[] {36, 100}) {
      int[] ids = random.ints(length, 1, 127).toArray();
      var analysis =
          Analysed.run(
                  runtime,
                  file,
                  Analysed.exact(),
                  (trace, session) -> {
                    trace.begin(ids);
                    session.evaluate(ids, false);
                  })
              .analysis();
      if (analysis.attentionWeights().isEmpty()) {
        assertThat(file.toString()).contains("mamba");
        return;
      }
      analysis
          .headSpecialization()
          .layerSpecialization()
          .forEach(
              (layer, labels) ->
                  assertThat(labels)
                      .as(file + " layer " + layer + ", " + length + " tokens")
                      .containsOnly(HeadSpecializationType.MIXED));
    }
    try (var model = runtime.open(file)) {
      var probe =
          new HeadProbe(model, GgufFile.read(file), 7)
              .run(Analysed.exact(), 2, new int[0], (done, all) -> {});
      assertThat(probe.scores()).isNotEmpty();
      probe
          .scores()
          .forEach(
              (id, scores) ->
                  assertThat(scores.label()).as(file + " " + id).isEqualTo(HeadLabel.MIXED));
    }
  }
}
