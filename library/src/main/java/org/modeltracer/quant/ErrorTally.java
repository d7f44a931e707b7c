package org.modeltracer.quant;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.Thresholds;
import org.modeltracer.language.LogitScore;
import org.modeltracer.language.TextWindows;
import org.modeltracer.model.HeadId;
import org.modeltracer.model.Site;

/** Errors of all nodes of one kind of run: each model free, or each layer on the same input. */
final class ErrorTally implements Lockstep.Comparator {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  private final List<ErrorSums> sums = new ArrayList<>();
  private final Map<HeadId, RowDivergence> heads = new TreeMap<>();
  private final LogitScore logits = new LogitScore();
  private final @Nullable EmbeddingScore embeddings;
  private final double tolerance;
  private float[] reference = {};
  private float[] other = {};
  private int[] window = {};
  private long windowStart;
  private @Nullable FirstDivergence first;
  private long firstBatch;
  private int firstPair;

  /**
   * Errors of none yet.
   *
   * @param embeddings takes the embeddings of the texts; null where the models make none
   */
  ErrorTally(List<NodePair> pairs, @Nullable EmbeddingScore embeddings, double tolerance) {
    this.embeddings = embeddings;
    this.tolerance = tolerance;
    for (NodePair pair : pairs) {
      boolean whole = pair.attention() || pair.reference().place().site() == Site.LOGITS;
      sums.add(new ErrorSums(whole ? 1 : pair.reference().width(), pair.attention()));
    }
  }

  /** A window of the text begins, so many tokens into it. */
  void begin(int[] tokens, long start) {
    window = tokens;
    windowStart = start;
    if (embeddings != null) {
      embeddings.begin(start);
    }
  }

  @Override
  public void compare(
      NodePair pair, int position, int rows, int width, MemorySegment a, MemorySegment b) {
    if (reference.length < width) {
      reference = new float[width];
      other = new float[width];
    }
    int perToken = pair.rowsPerToken(position, rows, width);
    for (int row = 0; row < rows; row++) {
      MemorySegment.copy(a, FLOAT, 4L * row * width, reference, 0, width);
      MemorySegment.copy(b, FLOAT, 4L * row * width, other, 0, width);
      double relative = sums.get(pair.index()).add(reference, other, width);
      int at = position + row / perToken;
      diverged(pair, position, at, relative);
      if (embeddings != null) {
        embeddings.add(pair, at, reference, other, width);
      }
      if (pair.attention()) {
        heads
            .computeIfAbsent(
                new HeadId(pair.reference().place().layer(), row % perToken),
                h -> new RowDivergence())
            .add(reference, other, width);
      } else if (pair.reference().place().site() == Site.LOGITS) {
        predicted(at, width);
      }
    }
  }

  private void predicted(int at, int width) {
    if (TextWindows.counts(at, window.length)) {
      logits.add(windowStart + at, reference, other, width, window[at + 1]);
    }
  }

  /** Nodes meet in about, not exactly, the order in which the reference computes them. */
  private void diverged(NodePair pair, int batch, int at, double relative) {
    if (relative <= tolerance) {
      return;
    }
    long begun = windowStart + batch;
    if (first == null || begun < firstBatch || begun == firstBatch && pair.index() < firstPair) {
      first = FirstDivergence.of(pair, windowStart + at, relative);
      firstBatch = begun;
      firstPair = pair.index();
    }
  }

  ErrorSums of(NodePair pair) {
    return sums.get(pair.index());
  }

  Map<HeadId, RowDivergence> heads() {
    return heads;
  }

  LogitScore logits() {
    return logits;
  }

  @Nullable EmbeddingDivergence embeddings(Thresholds thresholds) {
    return embeddings == null ? null : embeddings.result(thresholds);
  }

  @Nullable FirstDivergence first() {
    return first;
  }
}
