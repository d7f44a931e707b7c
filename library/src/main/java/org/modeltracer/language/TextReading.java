package org.modeltracer.language;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.modeltracer.session.SessionListener;
import org.modeltracer.session.TracedSession;

/** Has a model read a text and shows what it predicts after each position that counts. */
public final class TextReading {
  /** Takes what is predicted. */
  public interface Prediction {
    /**
     * One position.
     *
     * @param position over the whole text
     * @param logits {@code [vocabulary]} scores of the token that follows, for the call only
     * @param next the token that follows in the text
     */
    void at(long position, float[] logits, int next);

    /** This, and after it another. */
    default Prediction then(Prediction other) {
      return (position, logits, next) -> {
        at(position, logits, next);
        other.at(position, logits, next);
      };
    }
  }

  /** Listens for how far the reading is, in tokens. */
  public interface Progress {
    /** {@code done} of {@code all} tokens are read. */
    void at(long done, long all);
  }

  private TextReading() {}

  /**
   * Reads a text, window after window; positions come in ascending order.
   *
   * @throws org.modeltracer.llama.LlamaException when llama.cpp fails
   * @throws IllegalStateException when the session's model predicts nothing
   */
  public static void read(
      TracedSession session, TextWindows text, Prediction prediction, Progress progress) {
    if (!session.generates()) {
      throw new IllegalStateException("this model has no output matrix: it predicts no tokens");
    }
    long done = 0;
    for (int[] window : text.windows()) {
      var listener = new Listener(window, done, text.tokens(), prediction, progress);
      try (var _ = session.listen(listener)) {
        session.evaluate(window, true);
      }
      done += window.length;
    }
  }

  /** Follows one window. */
  private static final class Listener implements SessionListener {
    private final int[] window;
    private final long start;
    private final long all;
    private final Prediction prediction;
    private final Progress progress;
    private float[] scores = {};

    Listener(int[] window, long start, long all, Prediction prediction, Progress progress) {
      this.window = window;
      this.start = start;
      this.all = all;
      this.prediction = prediction;
      this.progress = progress;
    }

    @Override
    public void onLogits(int sequence, int position, MemorySegment logits, int chosen) {
      if (TextWindows.counts(position, window.length)) {
        int vocabulary = (int) (logits.byteSize() / Float.BYTES);
        scores = scores.length == vocabulary ? scores : new float[vocabulary];
        MemorySegment.copy(logits, ValueLayout.JAVA_FLOAT_UNALIGNED, 0, scores, 0, vocabulary);
        prediction.at(start + position, scores, window[position + 1]);
      }
    }

    @Override
    public void onPrompt(int read, int of) {
      progress.at(start + read, all);
    }
  }
}
