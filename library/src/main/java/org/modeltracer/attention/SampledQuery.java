package org.modeltracer.attention;

import org.jspecify.annotations.Nullable;

/**
 * One query of a sample, with a vector from every head.
 *
 * @param prompt its number
 * @param position of the query
 * @param segmentStart first position of the query's text segment, -1 when it is not known
 * @param vectors by {@link CollectedHead#index}, null where a head showed none
 */
public record SampledQuery(
    long prompt, int position, int segmentStart, float[] @Nullable [] vectors) {
  /** Whether a head has a vector. */
  public boolean has(CollectedHead head) {
    return vectors[head.index()] != null;
  }

  /** Whether all of these heads have a vector. */
  public boolean has(Iterable<CollectedHead> heads) {
    for (CollectedHead head : heads) {
      if (vectors[head.index()] == null) {
        return false;
      }
    }
    return true;
  }

  /** The vector of a head that has one. */
  public float[] of(CollectedHead head) {
    float[] vector = vectors[head.index()];
    if (vector == null) {
      throw new IllegalArgumentException(
          head.id() + " has no vector of the sampled position " + position);
    }
    return vector;
  }
}
