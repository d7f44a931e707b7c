package org.modeltracer.language;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Vocabulary;
import org.modeltracer.quant.Texts;

/** llama-perplexity's file, read by its definition, and files that are none. */
class StoredLogitsTest {
  private static final int WINDOW = 64;
  private static final String MODEL = "tinyllama-mha-f32.gguf";

  @TempDir Path folder;

  /** Writes a file while a model reads, and keeps the logits. */
  private static byte[] written(List<float[]> kept, List<Integer> next) {
    var out = new ByteArrayOutputStream();
    PerplexityTest.read(
        MODEL,
        WINDOW,
        (text, vocabulary) -> {
          var writer = new StoredLogits.Writer(out, text, vocabulary.size());
          return (TextReading.Prediction)
              (position, logits, following) -> {
                writer.at(position, logits, following);
                kept.add(logits.clone());
                next.add(following);
                if (kept.size() == (WINDOW / 2 - 1) * text.windows().size()) {
                  writer.close();
                }
              };
        });
    return out.toByteArray();
  }

  @Test
  void isThatFile() {
    var kept = new ArrayList<float[]>();
    var next = new ArrayList<Integer>();
    ByteBuffer file = ByteBuffer.wrap(written(kept, next)).order(ByteOrder.LITTLE_ENDIAN);
    byte[] magic = new byte[8];
    file.get(magic);
    assertThat(magic).asString().isEqualTo("_logits_");
    assertThat(file.getInt()).isEqualTo(WINDOW);
    int vocabulary = file.getInt();
    int windows = file.getInt();
    assertThat(vocabulary).isEqualTo(kept.getFirst().length);
    assertThat(kept).hasSize(windows * (WINDOW / 2 - 1)).hasSizeGreaterThan(60);
    int[] tokens = new int[windows * WINDOW];
    file.asIntBuffer().get(tokens);
    file.position(file.position() + 4 * tokens.length);
    for (int row = 0; row < kept.size(); row++) {
      int start = file.position();
      float scale = file.getFloat();
      float lowest = file.getFloat();
      double sum = 0;
      float max = Float.NEGATIVE_INFINITY;
      for (float logit : kept.get(row)) {
        max = Math.max(max, logit);
      }
      for (float logit : kept.get(row)) {
        sum += Math.exp((double) logit - max);
      }
      for (float logit : kept.get(row)) {
        double exact = logit - max - Math.log(sum);
        double stored = scale * (file.getShort() & 0xffff) + lowest;
        assertThat(stored).isCloseTo(Math.max(exact, lowest), within(scale / 2 + 1e-5));
      }
      int window = row / (WINDOW / 2 - 1);
      int at = WINDOW / 2 + row % (WINDOW / 2 - 1);
      assertThat(tokens[window * WINDOW + at + 1]).isEqualTo(next.get(row));
      file.position(start + 2 * (2 * ((vocabulary + 1) / 2) + 4));
    }
    assertThat(file.remaining()).isZero();
  }

  /** The rule of llama-perplexity: what is stored at 16 below or lower counts as impossible. */
  @Test
  void isScoredAsLlamaPerplexityDoes() throws IOException {
    var kept = new ArrayList<float[]>();
    var next = new ArrayList<Integer>();
    Path file = Files.write(folder.resolve("base.kld"), written(kept, next));
    var random = new Random(7);
    var score = new LogitScore();
    double kl = 0;
    double nllReference = 0;
    try (LlamaModel model = LlamaRuntime.load().open(Texts.setup(MODEL, 8, 8).model());
        StoredLogits stored = StoredLogits.open(file, model.vocabulary())) {
      assertThat(stored.window()).isEqualTo(WINDOW);
      for (int row = 0; row < kept.size(); row++) {
        float[] other = kept.get(row).clone();
        for (int i = 0; i < other.length; i++) {
          other[i] += (float) random.nextGaussian();
        }
        stored.score(score, row, other, next.get(row));
        kl += kl(kept.get(row), other);
        nllReference +=
            Logits.logSumExp(kept.get(row), other.length) - kept.get(row)[next.get(row)];
      }
    }
    LogitDivergence found = score.result();
    assertThat(found.positions()).isEqualTo(kept.size());
    assertThat(found.klMean()).isCloseTo(kl / kept.size(), within(2e-4));
    assertThat(found.perplexityReference())
        .isCloseTo(Math.exp(nllReference / kept.size()), within(0.01));
  }

  private static double kl(float[] p, float[] q) {
    double a = Logits.logSumExp(p, p.length);
    double b = Logits.logSumExp(q, q.length);
    double kl = 0;
    for (int i = 0; i < p.length; i++) {
      kl += Math.exp(p[i] - a) * (p[i] - a - q[i] + b);
    }
    return kl;
  }

  @Test
  void anOddVocabularyHasRowsOfEvenLength() {
    var out = new ByteArrayOutputStream();
    var text = new TextWindows(List.of(new int[] {0, 1, 2, 1}));
    try (var writer = new StoredLogits.Writer(out, text, 3)) {
      writer.at(2, new float[] {0, -40, 1}, 1);
    }
    assertThat(out.size()).isEqualTo(8 + 12 + 16 + 2 * (4 + 4));
    ByteBuffer row = ByteBuffer.wrap(out.toByteArray(), 36, 16).order(ByteOrder.LITTLE_ENDIAN);
    float scale = row.getFloat();
    float lowest = row.getFloat();
    double sum = Math.log(Math.exp(0) + Math.exp(1) + Math.exp(-40));
    assertThat(lowest).isCloseTo((float) (1 - 16 - sum), within(1e-5f));
    assertThat(scale).isCloseTo(16 / 65535f, within(1e-9f));
    assertThat(row.getShort() & 0xffff).isEqualTo(Math.round(15 / (16 / 65535.0)));
    assertThat(row.getShort()).isZero();
    assertThat(row.getShort() & 0xffff).isEqualTo(65535);
  }

  @Test
  void whatIsNoSuchFileIsRefusedInOneLine() throws IOException {
    byte[] sound = written(new ArrayList<>(), new ArrayList<>());
    try (LlamaModel model = LlamaRuntime.load().open(Texts.setup(MODEL, 8, 8).model())) {
      Vocabulary vocabulary = model.vocabulary();
      refused(vocabulary, Arrays.copyOf(sound, sound.length - 1), "bytes where its header makes");
      refused(vocabulary, Arrays.copyOf(sound, sound.length + 1), "bytes where its header makes");
      refused(vocabulary, Arrays.copyOf(sound, 5), "ends early");
      refused(vocabulary, new byte[0], "ends early");
      refused(vocabulary, with(sound, 0, 'x'), "does not begin with");
      refused(vocabulary, with(sound, 8, 0, 0, 0, 0), "0 tokens per window");
      refused(vocabulary, with(sound, 8, 0, 0, 0, 0x80), "tokens per window cannot be");
      refused(vocabulary, with(sound, 12, 1), "the model has 384");
      refused(vocabulary, with(sound, 16, 0xff, 0xff, 0xff, 0), "too many");
      refused(vocabulary, with(sound, 20, 0xff, 0xff), "outside its vocabulary");
      assertThatThrownBy(() -> StoredLogits.open(folder, vocabulary))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("no such file");
    }
  }

  private static byte[] with(byte[] sound, int at, int... values) {
    byte[] changed = sound.clone();
    for (int i = 0; i < values.length; i++) {
      changed[at + i] = (byte) values[i];
    }
    return changed;
  }

  private void refused(Vocabulary vocabulary, byte[] bytes, String why) throws IOException {
    Path file = Files.write(folder.resolve("hostile.kld"), bytes);
    assertThatThrownBy(() -> StoredLogits.open(file, vocabulary))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("hostile.kld")
        .hasMessageContaining(why)
        .message()
        .doesNotContain("\n");
  }
}
