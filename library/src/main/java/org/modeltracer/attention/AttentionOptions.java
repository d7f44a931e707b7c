package org.modeltracer.attention;

/**
 * Thresholds of the definitions and bounds on memory and time of an attention analysis.
 *
 * @param sparseBelow a visible key counts as unattended below this weight
 * @param connectedAbove a key counts as a significant connection above this weight
 * @param localReach largest distance that is local: {@code 1 <= i - j <= localReach}
 * @param globalBeyond distance beyond which a key is far away: {@code i - j > globalBeyond}
 * @param tailAfter number of largest weights that do not belong to the tail
 * @param maxPositions positions and distances with counters of their own; what lies beyond them is
 *     counted as a whole
 * @param sampleBytes bound on the sample of rows that comparisons between heads need
 * @param layerBytes bound on the lower triangles, one a layer, of rollout and of flow, each
 * @param pairWork bound on the pairs of weights compared between heads
 * @param outputSamples positions whose head outputs are kept for CKA
 * @param flowPairs pairs (source, target) of the flow analysis
 * @param flowEdges bound on the edges of the flow graph
 * @param tokenScores whether each head keeps its scores token by token
 * @param seed of the hash that draws samples
 */
public record AttentionOptions(
    double sparseBelow,
    double connectedAbove,
    int localReach,
    int globalBeyond,
    int tailAfter,
    int maxPositions,
    long sampleBytes,
    long layerBytes,
    long pairWork,
    int outputSamples,
    int flowPairs,
    int flowEdges,
    boolean tokenScores,
    long seed) {
  /** The definitions of the documentation, about 160 MiB at most beside the counters. */
  public static AttentionOptions defaults() {
    return new AttentionOptions(
        0.01, 0.05, 3, 5, 10, 4096, 32L << 20, 64L << 20, 1L << 29, 128, 4, 40_000, false, 1);
  }

  /** The same with per-token scores of every head, 36 bytes a head and position. */
  public AttentionOptions withTokenScores() {
    return new AttentionOptions(
        sparseBelow,
        connectedAbove,
        localReach,
        globalBeyond,
        tailAfter,
        maxPositions,
        sampleBytes,
        layerBytes,
        pairWork,
        outputSamples,
        flowPairs,
        flowEdges,
        true,
        seed);
  }

  /** The same with other bounds on the row sample and on the per-layer triangles, in bytes. */
  public AttentionOptions withBytes(long sample, long layers) {
    return new AttentionOptions(
        sparseBelow,
        connectedAbove,
        localReach,
        globalBeyond,
        tailAfter,
        maxPositions,
        sample,
        layers,
        pairWork,
        outputSamples,
        flowPairs,
        flowEdges,
        tokenScores,
        seed);
  }
}
