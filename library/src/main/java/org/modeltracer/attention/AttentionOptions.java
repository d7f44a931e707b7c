package org.modeltracer.attention;

/**
 * How attention is collected.
 *
 * @param thresholds of the definitions
 * @param bounds on memory
 * @param tokenScores whether each head keeps its scores token by token
 * @param seed of the hash that draws samples
 */
public record AttentionOptions(
    Thresholds thresholds, Bounds bounds, boolean tokenScores, long seed) {
  /**
   * Thresholds of the definitions.
   *
   * @param sparseBelow a visible key counts as unattended below this weight
   * @param connectedAbove a key counts as a significant connection above this weight
   * @param localReach largest distance that is local: {@code 1 <= i - j <= localReach}
   * @param globalBeyond distance beyond which a key is far away: {@code i - j > globalBeyond}
   * @param tailAfter number of largest weights that do not belong to the tail
   */
  public record Thresholds(
      double sparseBelow, double connectedAbove, int localReach, int globalBeyond, int tailAfter) {}

  /**
   * Bounds on memory.
   *
   * @param maxPositions positions and distances with counters of their own, or as many as 256 MiB
   *     allow for all heads; what lies beyond them is counted as a whole
   * @param sampleBytes sample of rows that comparisons between heads need
   * @param layerBytes matrices by position, one per layer, of rollout and of flow, each
   * @param matrixBytes whole matrices of the example prompt; none are kept when negative
   * @param outputSamples positions, at most, whose head outputs are kept for CKA
   * @param outputBytes bytes, at most, of those outputs
   */
  public record Bounds(
      int maxPositions,
      long sampleBytes,
      long layerBytes,
      long matrixBytes,
      int outputSamples,
      long outputBytes) {}

  /**
   * The definitions of the documentation, about 224 MiB at most beside the counters, which are 256.
   */
  public static AttentionOptions defaults() {
    return new AttentionOptions(
        new Thresholds(0.01, 0.05, 3, 5, 10),
        new Bounds(4096, 32L << 20, 64L << 20, -1, 512, 64L << 20),
        false,
        1);
  }

  /** The same with per-token scores of every head, 36 bytes per head and position. */
  public AttentionOptions withTokenScores() {
    return new AttentionOptions(thresholds, bounds, true, seed);
  }

  /** The same with other bounds on the row sample and on the matrices of every layer, in bytes. */
  public AttentionOptions withBytes(long sample, long layers) {
    return with(
        new Bounds(
            bounds.maxPositions,
            sample,
            layers,
            bounds.matrixBytes,
            bounds.outputSamples,
            bounds.outputBytes));
  }

  /** The same with at most that many bytes of matrices of the example prompt. */
  public AttentionOptions withMatrices(long bytes) {
    return with(
        new Bounds(
            bounds.maxPositions,
            bounds.sampleBytes,
            bounds.layerBytes,
            bytes,
            bounds.outputSamples,
            bounds.outputBytes));
  }

  private AttentionOptions with(Bounds other) {
    return new AttentionOptions(thresholds, other, tokenScores, seed);
  }
}
