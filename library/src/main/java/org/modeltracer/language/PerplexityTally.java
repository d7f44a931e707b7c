package org.modeltracer.language;

import static java.util.Objects.requireNonNull;

import java.util.HashMap;
import java.util.Map;
import org.modeltracer.llama.Vocabulary;

/** Gathers how well a model predicts a text. */
public final class PerplexityTally implements TextReading.Prediction {
  private final TextWindows text;
  private final Vocabulary vocabulary;
  private final Map<Integer, Long> counts = new HashMap<>();
  private final Map<Integer, Integer> bytes = new HashMap<>();
  private long positions;
  private long notFinite;
  private double nats;
  private double squares;
  private double unigram;
  private long textBytes;

  /** A tally of nothing yet. */
  public PerplexityTally(TextWindows text, Vocabulary vocabulary) {
    this.text = text;
    this.vocabulary = vocabulary;
    for (int[] window : text.windows()) {
      for (int token : window) {
        counts.merge(token, 1L, Long::sum);
      }
    }
  }

  @Override
  public void at(long position, float[] logits, int next) {
    if (!Logits.areScores(logits, logits.length)) {
      notFinite++;
      return;
    }
    double surprise = Logits.logSumExp(logits, logits.length) - logits[next];
    positions++;
    nats += surprise;
    squares += surprise * surprise;
    unigram -= Math.log(requireNonNull(counts.get(next)) / (double) text.tokens());
    textBytes += bytes.computeIfAbsent(next, id -> vocabulary.piece(id, false).length);
  }

  /** What was gathered. */
  public Perplexity result() {
    double mean = nats / positions;
    double variance = Math.max(0, squares / positions - mean * mean);
    return new Perplexity(
        text.tokens(),
        positions,
        notFinite,
        mean,
        Math.sqrt(variance / (positions - 1)),
        unigram / positions,
        Math.log(vocabulary.size()),
        textBytes == 0 || !vocabulary.usable() ? null : nats / Math.log(2) / textBytes);
  }
}
