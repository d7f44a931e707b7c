package org.modeltracer.model;

/** How one embedding is made of the last states of a text's tokens. */
public enum Pooling {
  /** Their mean. */
  MEAN,
  /** That of the first token, which encoders keep for this. */
  CLS,
  /** That of the last token, which has seen all others where attention is causal. */
  LAST
}
