package org.modeltracer.cli;

import org.jspecify.annotations.Nullable;
import org.modeltracer.attention.report.AttentionAnalysis;
import org.modeltracer.gate.output.JsonHead;
import org.modeltracer.trace.ModelTracer;

/** A model at work, here or elsewhere, of which files and pages tell. */
interface Traced {
  /** What people call it. */
  String name();

  /** What its documents begin with, null where the model's file is not known. */
  @Nullable JsonHead head();

  ModelTracer tracer();

  /** Whether a summary can be made without waiting. */
  boolean describable();

  /** The summary so far, as JSON. */
  String summary();

  /** What attention did, or null where it was not traced. */
  @Nullable AttentionAnalysis analysis();

  /** What only pictures need, or null where nobody collects it. */
  @Nullable Record pictures();
}
