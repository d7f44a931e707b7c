package org.modeltracer.gate.checks;

import java.nio.file.Path;
import org.modeltracer.language.LogitDivergence;
import org.modeltracer.language.LogitScore;
import org.modeltracer.language.StoredLogits;
import org.modeltracer.language.TextReading;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.session.TracedSession;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;

/** The file beside what a reference, which is not at hand, predicted on a text. */
final class StoredReference {
  private StoredReference() {}

  /**
   * Compares the two on the stored text.
   *
   * @throws IllegalArgumentException with one line, when the stored predictions are unsound or of
   *     another vocabulary
   */
  static LogitDivergence compare(Subject subject, Path file) {
    LlamaModel model = subject.model();
    var score = new LogitScore();
    try (var stored = StoredLogits.open(file, model.vocabulary());
        var tracer = ModelTracer.quiet(TracerConfig.disabled());
        var session =
            TracedSession.open(model, Prompts.reading(subject, stored.window()), tracer)) {
      if (!session.generates() || !subject.file().causal()) {
        throw new NotApplicable("the model makes no predictions to compare");
      }
      TextReading.read(
          session,
          stored.text(),
          (position, logits, next) -> stored.score(score, position, logits, next),
          (done, all) -> {});
    }
    return score.result();
  }
}
