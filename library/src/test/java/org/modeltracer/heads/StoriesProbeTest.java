package org.modeltracer.heads;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.modeltracer.attention.report.HeadLabel;
import org.modeltracer.attention.report.HeadScores;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.model.HeadId;
import org.modeltracer.testing.Shared;

/** The probe on a published model with a SentencePiece vocabulary, from {@code shared/real}. */
class StoriesProbeTest {
  /**
   * Half of this vocabulary stands for single bytes, three tokens for what is unknown and for the
   * ends of a text. Without them its heads do on random tokens what they do on text.
   */
  @Test
  void randomTokensAreThoseOfAText() throws IOException {
    Path file = Shared.file("real", "stories260K-f32.gguf");
    String lily = Files.readString(Shared.file("real", "lily.txt"));
    try (var model = LlamaRuntime.load().open(file)) {
      int[] deck = HeadProbe.deck(model.vocabulary(), GgufFile.read(file));
      assertThat(deck).hasSize(512 - 256 - 3);
      for (int token : deck) {
        assertThat(model.vocabulary().entry(token)).doesNotMatch("<.+>");
      }
      var result =
          new HeadProbe(model, GgufFile.read(file), HeadProbe.SEED)
              .run(
                  Analysed.exact(),
                  32,
                  model.vocabulary().tokenize(lily, true, false),
                  (done, all) -> {});
      double apart = 0;
      for (var head : result.scores().entrySet()) {
        HeadScores onText = Objects.requireNonNull(result.text().get(head.getKey()));
        apart += Math.abs(head.getValue().previousToken() - onText.previousToken());
      }
      // 0.12 with the whole vocabulary as the deck.
      assertThat(apart / result.scores().size()).isLessThan(0.07);
      for (var head : List.of(new HeadId(1, 3), new HeadId(1, 6), new HeadId(3, 6))) {
        assertThat(Objects.requireNonNull(result.scores().get(head)).label())
            .isEqualTo(HeadLabel.PREVIOUS_TOKEN);
      }
    }
  }
}
