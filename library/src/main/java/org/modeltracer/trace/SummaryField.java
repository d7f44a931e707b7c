package org.modeltracer.trace;

/** A field of the summary that whoever runs the tracer fills in. */
public enum SummaryField {
  TOOL,
  RUNTIME,
  MODEL,
  CONFIG,
  PROMPT,
  TIMING,
  VERDICT
}
