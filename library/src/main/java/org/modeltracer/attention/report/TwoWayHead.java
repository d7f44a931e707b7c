package org.modeltracer.attention.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.modeltracer.attention.TwoWayMeans;
import org.modeltracer.model.HeadId;

/**
 * A head of a layer without a causal mask: what it attends to, and the label that this gives.
 *
 * @param layer its layer
 * @param head the head
 * @param twoWayLabel what it is for, null with fewer than 32 rows
 * @param means what it attends to
 */
public record TwoWayHead(int layer, int head, @Nullable Label twoWayLabel, TwoWayMeans means) {
  private static final double MOST = 0.5;

  /** What a head that sees both ways attends to most. */
  public enum Label {
    /** The position before. */
    PREVIOUS_TOKEN,
    /** The position after. */
    NEXT_TOKEN,
    /** Its own position. */
    SELF,
    /** Position 0, such as [CLS]. */
    FIRST_TOKEN,
    /** Special tokens, such as [SEP]. */
    SPECIAL_TOKEN,
    /** Punctuation. */
    PUNCTUATION,
    /** None of these. */
    MIXED
  }

  /** Which head it is. */
  public HeadId id() {
    return new HeadId(layer, head);
  }

  static List<TwoWayHead> of(Map<HeadId, TwoWayMeans> heads) {
    var all = new ArrayList<TwoWayHead>();
    heads.forEach(
        (id, means) -> all.add(new TwoWayHead(id.layer(), id.head(), label(means), means)));
    return all;
  }

  private static @Nullable Label label(TwoWayMeans means) {
    if (means.rows() < Chance.FEWEST_ROWS) {
      return null;
    }
    double one = means.oneKey();
    double[] excess = {
      Chance.excess(means.previousToken(), one),
      Chance.excess(means.nextToken(), one),
      Chance.excess(means.self(), one),
      Chance.excess(means.firstToken(), one),
      Chance.excess(means.special(), means.specialKeys()),
      Chance.excess(means.structural(), means.structuralKeys())
    };
    for (int i = 0; i < excess.length; i++) {
      if (excess[i] >= MOST) {
        return Label.values()[i];
      }
    }
    return Label.MIXED;
  }
}
