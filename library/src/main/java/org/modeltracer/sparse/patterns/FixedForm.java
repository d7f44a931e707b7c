package org.modeltracer.sparse.patterns;

/** A rule that keeps keys by where they are, the same for every query. */
public enum FixedForm {
  /** Those at a distance below the parameter. */
  WINDOW,
  /** The first four, and those at a distance below the parameter. StreamingLLM, Xiao 2023. */
  SINK_WINDOW,
  /** Those at a distance below the parameter, or a multiple of it. Child 2019. */
  STRIDED,
  /** Those in the query's own block of a grid. */
  BLOCK
}
