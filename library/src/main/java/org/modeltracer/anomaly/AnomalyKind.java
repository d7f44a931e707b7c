package org.modeltracer.anomaly;

import java.util.Locale;

/** The ways in which a run can go bad, each with its usual severity. */
public enum AnomalyKind {
  /** Values that are not a number. */
  NAN(Severity.CRITICAL),
  /** Infinite values. */
  INF(Severity.CRITICAL),
  /** Finite values that are far too large, and were not before. */
  EXPLOSION(Severity.CRITICAL),
  /** Values that are all the same, often all zero: no signal passes. */
  VANISHING(Severity.WARNING),
  /** A layer that adds next to nothing to the residual stream. */
  RESIDUAL_DOMINANCE(Severity.WARNING),
  /** Values that come close to, or pass, the largest number of F16. */
  HEADROOM(Severity.WARNING),
  /** Attention weights of one query that do not sum to 1. */
  ROW_SUM(Severity.CRITICAL),
  /** A query that sees no key at all. */
  MASKED_ROW(Severity.CRITICAL),
  /** A head whose queries all look at one key, and it is not the sink. */
  ATTENTION_COLLAPSE(Severity.WARNING),
  /** A head that looks at all keys alike, whatever the query. */
  UNIFORM_ATTENTION(Severity.WARNING),
  /** A head whose output is exactly zero. */
  DEAD_HEAD(Severity.WARNING),
  /** An indexer that selects keys which attention does not want. */
  INDEXER_RECALL(Severity.WARNING),
  /** An expert that the router never chooses. */
  DEAD_EXPERT(Severity.INFO),
  /** Next-token scores that are not finite, constant, flat, or collapsed onto one token. */
  LOGITS(Severity.CRITICAL),
  /** Generated text that runs in a circle. */
  REPETITION(Severity.WARNING),
  /** A KV cache with no free cell left. */
  KV_EXHAUSTED(Severity.WARNING),
  /** A KV cache that drops what it has just stored. */
  KV_THRASHING(Severity.WARNING),
  /** A tokenizer that does not do what its file says, or tokens that are not text. */
  TOKENIZER(Severity.WARNING),
  /** A quantized model that strays from its reference. */
  QUANTIZATION(Severity.CRITICAL);

  private final String id = name().toLowerCase(Locale.ROOT);
  private final Severity severity;

  AnomalyKind(Severity severity) {
    this.severity = severity;
  }

  /** Name in JSON and on the command line. */
  public String id() {
    return id;
  }

  /** Severity unless a rule knows better. */
  public Severity severity() {
    return severity;
  }
}
