package org.modeltracer.trace;

/**
 * A part of the summary in which the tracer says what it saw, and an analysis what that means; of
 * {@link #INDEXER} only an analysis sees anything.
 */
public enum SummarySection {
  ACTIVATIONS,
  ATTENTION,
  INDEXER,
  LOGITS,
  KV_CACHE,
  QUANTIZATION
}
