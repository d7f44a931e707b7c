package org.modeltracer.language;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.function.BiFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Vocabulary;
import org.modeltracer.quant.Setup;
import org.modeltracer.quant.Texts;
import org.modeltracer.session.SessionOptions;
import org.modeltracer.session.TracedSession;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;

/** Against the definition, worked out again from the logits of runs without a hook. */
class PerplexityTest {
  private static final int WINDOW = 64;

  /** Reads the text; what reads on takes the windows and the vocabulary. */
  static <T extends TextReading.Prediction> T read(
      String model, int window, BiFunction<TextWindows, Vocabulary, T> reader) {
    Setup setup = Texts.setup(model, window, 32);
    try (LlamaModel open = LlamaRuntime.load().open(setup.model());
        var tracer = ModelTracer.quiet(TracerConfig.disabled());
        var session =
            TracedSession.open(
                open, SessionOptions.defaults().withContext(setup.context()), tracer)) {
      int[] tokens = open.vocabulary().tokenize(Texts.TEXT, true, false);
      TextWindows text = TextWindows.of(tokens, window, open.vocabulary());
      T prediction = reader.apply(text, open.vocabulary());
      TextReading.read(session, text, prediction, (done, all) -> {});
      return prediction;
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {WINDOW, 37, 4096})
  void isWhatItSaysItIs(int asked) {
    int window = Math.min(asked, 256);
    Perplexity found = read("tinyllama-mha-f32.gguf", window, PerplexityTally::new).result();
    Setup setup = Texts.setup("tinyllama-mha-f32.gguf", window, 32);
    double nats = 0;
    double squares = 0;
    double unigram = 0;
    long bytes = 0;
    int n = 0;
    int vocabularySize;
    try (LlamaModel model = LlamaRuntime.load().open(setup.model())) {
      Vocabulary vocabulary = model.vocabulary();
      vocabularySize = vocabulary.size();
      int[] all = vocabulary.tokenize(Texts.TEXT, true, false);
      int whole = all.length <= window ? all.length : all.length / window * window;
      int[] read = Arrays.copyOf(all, whole);
      for (int from = 0; from < whole; from += window) {
        read[from] = vocabulary.bos();
      }
      for (int from = 0; from < whole; from += window) {
        int[] own = Arrays.copyOfRange(read, from, Math.min(whole, from + window));
        float[][] logits = Texts.logits(setup, own);
        for (int i = own.length / 2; i < own.length - 1; i++) {
          int next = own[i + 1];
          double sum = 0;
          for (float logit : logits[i]) {
            sum += Math.exp((double) logit - logits[i][next]);
          }
          nats += Math.log(sum);
          squares += Math.log(sum) * Math.log(sum);
          long count = Arrays.stream(read).filter(id -> id == next).count();
          unigram -= Math.log((double) count / whole);
          bytes +=
              vocabulary
                  .detokenize(new int[] {next}, false)
                  .getBytes(StandardCharsets.UTF_8)
                  .length;
          n++;
        }
      }
      assertThat(found.tokens()).isEqualTo(whole);
    }
    assertThat(found.positions()).isEqualTo(n).isGreaterThan(60);
    assertThat(found.notFinite()).isZero();
    assertThat(found.nats()).isCloseTo(nats / n, within(1e-9));
    double variance = squares / n - nats / n * (nats / n);
    assertThat(found.natsError()).isCloseTo(Math.sqrt(variance / (n - 1)), within(1e-9));
    assertThat(found.perplexity()).isCloseTo(Math.exp(nats / n), within(1e-6));
    assertThat(found.unigramNats()).isCloseTo(unigram / n, within(1e-9));
    assertThat(found.chancePerplexity()).isCloseTo(vocabularySize, within(1e-9));
    assertThat(found.bitsPerByte()).isCloseTo(nats / Math.log(2) / bytes, within(1e-9));
    assertThat(found.perplexity()).isLessThan(found.unigramPerplexity());
  }

  @Test
  void scoresThatAreNoNumbersAreCountedApart() {
    var text = new TextWindows(List.of(new int[] {1, 2, 3, 4}));
    try (LlamaModel model =
        LlamaRuntime.load().open(Texts.setup("tinyllama-mha-f32.gguf", 8, 8).model())) {
      var tally = new PerplexityTally(text, model.vocabulary());
      float[] logits = new float[model.vocabulary().size()];
      tally.at(2, logits, 4);
      logits[7] = Float.NaN;
      tally.at(3, logits, 4);
      Perplexity found = tally.result();
      assertThat(found.positions()).isEqualTo(1);
      assertThat(found.notFinite()).isEqualTo(1);
      assertThat(found.nats()).isCloseTo(found.chanceNats(), within(1e-12));
      assertThat(found.unigramNats()).isCloseTo(Math.log(4), within(1e-12));
    }
  }
}
