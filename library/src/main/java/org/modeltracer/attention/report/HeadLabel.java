package org.modeltracer.attention.report;

/** What a head does on the probe of random tokens repeated three times. */
public enum HeadLabel {
  /** Attends to the token before. */
  PREVIOUS_TOKEN,
  /** Attends to what followed the latest earlier copy of the token. */
  INDUCTION,
  /** Attends to the latest earlier copy of the token. */
  DUPLICATE_TOKEN,
  /** Attends to another place beside that copy, such as two after it. */
  SHIFTED_INDUCTION,
  /** Attends to its own position. */
  SELF,
  /** Attends at another fixed offset, such as two tokens back. */
  POSITIONAL,
  /** Rests on position 0. */
  SINK,
  /** Attends to the last few tokens. */
  LOCAL,
  /** Attends far back. */
  GLOBAL,
  /** None of these. */
  MIXED
}
