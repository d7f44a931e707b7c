package org.modeltracer.cli.export;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.modeltracer.attention.Rollout;
import org.modeltracer.cli.terminal.CliException;
import org.modeltracer.cli.terminal.ExitCode;
import org.modeltracer.model.AttentionRow;
import org.modeltracer.model.Place;
import org.modeltracer.model.TextEmbedding;
import org.modeltracer.session.SessionListener;
import org.modeltracer.trace.TraceListener;

/** Puts what a session shows into the arrays of an export, as it is shown. */
public final class ArrayWriter implements TraceListener, SessionListener {
  private record Attention(NpyFile file, int[] slots) {}

  private final int positions;
  private final Map<Integer, Attention> attention = new HashMap<>();
  private final Map<Integer, NpyFile> states = new HashMap<>();
  private final float[] row;
  private @Nullable NpyFile tokens;
  private @Nullable NpyFile logits;
  private @Nullable NpyFile rollout;
  private @Nullable NpyFile embedding;

  /** Starts the files of a plan. */
  public ArrayWriter(ExportPlan plan, int positions, ExportFolder folder) {
    this.positions = positions;
    row = new float[positions];
    for (ExportPlan.Entry entry : plan.entries()) {
      NpyFile file = folder.create(entry.file(), entry.type(), entry.shape());
      int layer = entry.layer() == null ? Place.AFTER_LAYERS : entry.layer();
      switch (entry.what()) {
        case TOKENS -> tokens = file;
        case LOGITS -> logits = file;
        case ROLLOUT -> rollout = file;
        case EMBEDDING -> embedding = file;
        case HIDDEN -> states.put(layer, file);
        case ATTENTION -> {
          int[] slots = new int[plan.heads()];
          Arrays.fill(slots, -1);
          for (int i = 0; i < entry.heads().size(); i++) {
            slots[entry.heads().get(i)] = i;
          }
          attention.put(layer, new Attention(file, slots));
        }
      }
    }
  }

  /** Writes the token ids. */
  public void tokens(int[] ids) {
    if (tokens != null) {
      tokens.row(0, ids);
    }
  }

  /** Writes the embedding of the text. */
  public void embedding(TextEmbedding text) {
    if (embedding != null) {
      double[] unit = text.unit();
      float[] values = new float[unit.length];
      for (int i = 0; i < values.length; i++) {
        values[i] = (float) unit[i];
      }
      embedding.row(0, values);
    }
  }

  /** Writes the rollout of a whole prompt. */
  public void rollout(@Nullable Rollout computed) {
    if (rollout == null) {
      return;
    }
    if (computed == null || computed.positions() < positions) {
      String reason = computed == null ? null : computed.stopped();
      throw new CliException(
          ExitCode.FAILURE,
          "no rollout of the whole prompt: "
              + (reason == null ? "some rows of attention are not finite" : reason));
    }
    for (int q = 0; q < positions; q++) {
      rollout.row(q, Arrays.copyOf(computed.row(q), positions));
    }
  }

  @Override
  public void onAttentionRow(AttentionRow seen) {
    Attention layer = attention.get(seen.layer());
    if (layer == null || layer.slots[seen.head()] < 0) {
      return;
    }
    Arrays.fill(row, 0);
    for (int i = 0; i < seen.size(); i++) {
      row[seen.key(i)] = seen.weight(i);
    }
    layer.file.row((long) layer.slots[seen.head()] * positions + seen.query(), row);
  }

  @Override
  public boolean states() {
    return !states.isEmpty();
  }

  @Override
  public void onState(
      int layer, int sequence, int position, MemorySegment values, long offset, int width) {
    NpyFile file = states.get(layer);
    if (file != null) {
      file.row(position, values, offset);
    }
  }

  @Override
  public void onLogits(int sequence, int position, MemorySegment values, int chosen) {
    if (logits != null) {
      logits.row(position, values, 0);
    }
  }
}
