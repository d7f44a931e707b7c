package org.modeltracer.sparse;

/** A usual mistake of those who port a Lightning Indexer, and what undoes it. */
public enum PortMistake {
  /** Pairs of dimensions that rotate together: interleaved where half-split is right, or so. */
  ROTARY_LAYOUT("with the other layout of rotary positions"),
  /** Queries, or keys, are rotated by a Hadamard matrix and the others are not. */
  HADAMARD("with the Hadamard rotation on one side undone"),
  /** Products are cut off at zero where they must not be. */
  RELU("without ReLU"),
  /** Heads are weighted where they must not be, or by the wrong weights. */
  HEAD_WEIGHTS("without head weights"),
  /** Queries are one position too early. */
  POSITION_LATER("with queries one position later"),
  /** Queries are one position too late. */
  POSITION_EARLIER("with queries one position earlier"),
  /** Scores are too large or too small by a factor; the selection is as it should be. */
  SCALE("with scores multiplied by another factor");

  private final String remedy;

  PortMistake(String remedy) {
    this.remedy = remedy;
  }

  /** What undoes it, as the end of a sentence. */
  public String remedy() {
    return remedy;
  }
}
