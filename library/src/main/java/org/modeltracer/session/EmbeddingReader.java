package org.modeltracer.session;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Set;
import org.modeltracer.model.Place;
import org.modeltracer.model.Pooling;
import org.modeltracer.model.Site;
import org.modeltracer.model.TextEmbedding;

/**
 * Makes the embedding of a text that a session reads with the outputs of all its tokens.
 *
 * @param place where the last states are, as {@link TracedSession#lastState} says
 * @param embedding what has been read of it
 */
public record EmbeddingReader(Place place, TextEmbedding embedding) implements SessionListener {
  /** A reader of one text. */
  public EmbeddingReader(Place place, Pooling pooling) {
    this(place, new TextEmbedding(pooling));
  }

  @Override
  public Set<Site> rows() {
    return Set.of(place.site());
  }

  @Override
  public void onRow(
      Place at, int sequence, int position, MemorySegment values, long offset, int width) {
    if (at.equals(place)) {
      float[] state = new float[width];
      MemorySegment.copy(values, ValueLayout.JAVA_FLOAT_UNALIGNED, offset, state, 0, width);
      embedding.add(position, state, width);
    }
  }
}
