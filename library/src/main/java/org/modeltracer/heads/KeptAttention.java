package org.modeltracer.heads;

import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.modeltracer.attention.AttentionAnalysis;
import org.modeltracer.attention.AttentionAnalyzer;
import org.modeltracer.attention.RetainedAttention;
import org.modeltracer.model.AttentionRow;
import org.modeltracer.trace.TraceListener;

/** Keeps the attention matrices of an analysis' example prompt, within a budget. */
public final class KeptAttention {
  private final long budget;
  private RetainedAttention kept;
  private @Nullable Long prompt;

  /** Keeps nothing yet, and at most that many bytes. */
  public KeptAttention(long budget) {
    this.budget = budget;
    kept = new RetainedAttention(budget);
  }

  /** A listener that keeps what belongs to the analyzer's example; add it after the analyzer. */
  public TraceListener of(AttentionAnalyzer analyzer) {
    return new TraceListener() {
      private long latest = -1;

      @Override
      public void onForward(int forward, int firstPosition, int tokens) {
        latest = analyzer.latestPrompt();
        Long example = analyzer.examplePrompt();
        if (!Objects.equals(example, prompt)) {
          prompt = example;
          kept = new RetainedAttention(budget);
        }
      }

      @Override
      public void onAttentionRow(AttentionRow row) {
        boolean causal = row.size() == 0 || row.key(row.size() - 1) <= row.query();
        if (causal && analyzer.covers(row) && Objects.equals(prompt, latest)) {
          kept.row(row);
        }
      }
    };
  }

  /** The analysis with the matrices, and a note where they are not whole. */
  public AttentionAnalysis analysis(AttentionAnalyzer analyzer) {
    if (kept.leftOut() > 0 || !kept.precision().equals("f32")) {
      analyzer.absent(
          "attention_weights.attention_matrix",
          "kept as %s in %d bytes, %d rows left out; a larger --keep-attention keeps more"
              .formatted(kept.precision(), kept.bytes(), kept.leftOut()));
    }
    return analyzer.result(kept);
  }
}
