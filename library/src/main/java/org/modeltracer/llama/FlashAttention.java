package org.modeltracer.llama;

/** Whether attention runs as one fused operation, which leaves no softmax tensor behind. */
public enum FlashAttention {
  /** llama.cpp decides; recent generations decide for it, also on the CPU. */
  AUTO,
  /** Fused. */
  ON,
  /** Scores, softmax and mixing as separate operations. */
  OFF
}
