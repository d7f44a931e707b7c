package org.modeltracer.attach;

import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.llama.Batch;

/**
 * The first pass of a context that showed bad values.
 *
 * @param forward its number
 * @param sequence the sequence that they were found in
 * @param tokens all that the sequence had read when the pass ended, by position; negative where
 *     they were read before anybody looked
 */
public record BadPass(int forward, int sequence, int[] tokens) {
  static BadPass of(Anomaly worst, Batch batch, RemoteTexts texts) {
    Integer position = worst.position();
    int sequence = batch.sequence(0);
    for (int i = 0; i < batch.size(); i++) {
      if (position != null && batch.position(i) == position) {
        sequence = batch.sequence(i);
        break;
      }
    }
    return new BadPass(
        worst.forward() == null ? 0 : worst.forward(), sequence, texts.tokens(sequence));
  }

  /** Whether all tokens are known, so that they can be run again. */
  public boolean isWhole() {
    for (int token : tokens) {
      if (token < 0) {
        return false;
      }
    }
    return tokens.length > 0;
  }
}
