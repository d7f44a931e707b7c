package org.modeltracer.trace;

/** What an analysis in another package has to say in {@code summary.json}. */
public interface SummarySection {
  /**
   * The object of the summary that it belongs to: {@code activations}, {@code attention}, {@code
   * logits}, {@code kv_cache} or {@code quantization}; it becomes that object's {@code analysis}.
   */
  String name();

  /** Maps, lists and records ready to be written, computed when asked. */
  Object toJson();
}
