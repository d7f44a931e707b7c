package org.modeltracer.sparse.patterns;

/**
 * What a head's attention is shaped like: the first of these whose score in {@link PatternScores}
 * reaches 0.5.
 */
public enum PatternKind {
  /** On the first four positions. */
  SINK,
  /** At one distance. */
  DIAGONAL,
  /** At distances that are a period apart, none of which has most of it. */
  STRIDED,
  /** Inside the query's own block of a grid, beyond what distance explains. */
  BLOCK,
  /** On the last sixteen positions. */
  LOCAL,
  /** Spread over at least half of all keys. */
  GLOBAL,
  /** None of these. */
  HETEROGENEOUS
}
