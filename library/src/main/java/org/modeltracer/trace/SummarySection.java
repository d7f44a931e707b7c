package org.modeltracer.trace;

/** A part of the summary in which the tracer says what it saw, and an analysis what that means. */
public enum SummarySection {
  ACTIVATIONS,
  ATTENTION,
  LOGITS,
  KV_CACHE,
  QUANTIZATION
}
