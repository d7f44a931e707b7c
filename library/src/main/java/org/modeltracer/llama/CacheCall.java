package org.modeltracer.llama;

/** Functions by which programs change what a context remembers. */
public enum CacheCall {
  /** Everything is forgotten. */
  CLEAR,
  /** Positions of a sequence are forgotten. */
  REMOVE,
  /** Positions of one sequence become part of another. */
  COPY,
  /** All sequences but one are forgotten. */
  KEEP,
  /** Positions of a sequence move. */
  SHIFT
}
