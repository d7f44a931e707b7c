package org.modeltracer.cli.export;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.modeltracer.attention.Rollout;
import org.modeltracer.cli.terminal.CliException;
import org.modeltracer.cli.terminal.ExitCode;
import org.modeltracer.model.AttentionRow;
import org.modeltracer.model.Place;
import org.modeltracer.model.Site;
import org.modeltracer.model.TextEmbedding;
import org.modeltracer.session.SessionListener;
import org.modeltracer.sparse.IndexedQuery;
import org.modeltracer.trace.TraceListener;

/** Puts what a session shows of one text into its arrays, as it is shown. */
public final class ArrayWriter implements TraceListener, SessionListener {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  private record Attention(NpyFile file, int[] slots) {}

  /** What one layer's indexer scores and selects; null for what is not wanted. */
  private static final class Indexer {
    private @Nullable NpyFile heads;
    private @Nullable NpyFile scores;
    private @Nullable NpyFile selection;
  }

  /**
   * Rows of a place.
   *
   * @param heads those of a row that are wanted, empty for all of the row
   * @param width numbers of each
   */
  private record Rows(NpyFile file, int[] heads, int width) {}

  private final int positions;
  private final Map<Integer, Attention> attention = new HashMap<>();
  private final Map<Integer, NpyFile> states = new HashMap<>();
  private final Map<Place, Rows> rows = new HashMap<>();
  private final Map<Integer, Indexer> indexers = new HashMap<>();
  private final int[] marks;
  private final Set<Site> sites = EnumSet.noneOf(Site.class);
  private final float[] row;
  private float[] parts = {};
  private @Nullable NpyFile tokens;
  private @Nullable NpyFile logits;
  private @Nullable NpyFile rollout;
  private @Nullable NpyFile embedding;

  /** Starts the files of a plan. */
  public ArrayWriter(ExportPlan plan, int positions, ExportFolder folder) {
    this.positions = positions;
    row = new float[positions];
    marks = new int[positions];
    for (ExportPlan.Entry entry : plan.entries()) {
      NpyFile file = folder.create(entry);
      int layer = entry.layer() == null ? Place.AFTER_LAYERS : entry.layer();
      switch (entry.what()) {
        case TOKENS -> tokens = file;
        case LOGITS -> logits = file;
        case ROLLOUT -> rollout = file;
        case EMBEDDING -> embedding = file;
        case HIDDEN -> states.put(layer, file);
        case Q, K, V, HEAD_OUTPUTS, MLP -> rows(entry, layer, file);
        case SELECTION -> indexers.computeIfAbsent(layer, l -> new Indexer()).selection = file;
        case INDEXER -> {
          Indexer indexer = indexers.computeIfAbsent(layer, l -> new Indexer());
          if (entry.heads().isEmpty()) {
            indexer.scores = file;
          } else {
            indexer.heads = file;
          }
        }
        case TABLES -> {}
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

  private void rows(ExportPlan.Entry entry, int layer, NpyFile file) {
    Site site = entry.what().site();
    if (site != null) {
      sites.add(site);
      int[] heads = entry.heads().stream().mapToInt(h -> h).toArray();
      int width = heads.length == 0 ? file.rowLength() : file.rowLength() / heads.length;
      rows.put(new Place(site, layer), new Rows(file, heads, width));
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

  /** Writes the rollout of a whole text. */
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

  /** Whether anything is written of indexers. */
  public boolean wantsIndexers() {
    return !indexers.isEmpty();
  }

  /** Writes what an indexer scores and selects for a query. */
  public void onSelection(IndexedQuery query) {
    Indexer layer = indexers.get(query.layer());
    if (layer == null) {
      return;
    }
    for (int h = 0; layer.heads != null && h < query.heads(); h++) {
      Arrays.fill(row, 0);
      for (int i = 0; i < query.size(); i++) {
        row[query.key(i)] = query.score(h, i);
      }
      layer.heads.row((long) h * positions + query.position(), row);
    }
    if (layer.scores != null) {
      Arrays.fill(row, Float.NEGATIVE_INFINITY);
      for (int i = 0; i < query.size(); i++) {
        row[query.key(i)] = query.score(i);
      }
      layer.scores.row(query.position(), row);
    }
    if (layer.selection != null) {
      Arrays.fill(marks, 0);
      for (int i = 0; i < query.size(); i++) {
        marks[query.key(i)] = query.selects(i) ? 1 : 0;
      }
      layer.selection.row(query.position(), marks);
    }
  }

  @Override
  public Set<Site> rows() {
    return sites;
  }

  @Override
  public void onRow(
      Place place, int sequence, int position, MemorySegment values, long offset, int width) {
    Rows wanted = rows.get(place);
    if (wanted == null) {
      return;
    }
    if (wanted.file.rowLength() == width) {
      wanted.file.row(position, values, offset);
      return;
    }
    int each = wanted.width;
    if (parts.length < wanted.file.rowLength()) {
      parts = new float[wanted.file.rowLength()];
    }
    for (int i = 0; i < wanted.heads.length; i++) {
      long at = offset + (long) Float.BYTES * each * wanted.heads[i];
      MemorySegment.copy(values, FLOAT, at, parts, i * each, each);
    }
    wanted.file.row(position, parts);
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
