package org.modeltracer.trace;

import java.util.List;
import org.modeltracer.anomaly.Thresholds;

/**
 * What to trace.
 *
 * @param activations statistics of the watched tensors
 * @param attention rows of attention
 * @param topK keys listed per attention row
 * @param layers layers whose attention is traced; empty means all
 * @param heads query heads whose attention is traced; empty means all
 * @param weightThreshold attention weight, 0 to 1, below which a key is not listed
 * @param logits scores of tokens at each position
 * @param trackedTokens token ids whose scores are traced; empty means the highest and the chosen
 * @param logitTopK how many of the highest scores are traced when no tokens are named
 * @param quantError errors against a reference model
 * @param kvCache state of the KV cache
 * @param seed seed of the samples kept
 * @param thresholds limits of the anomaly rules
 */
public record TracerConfig(
    boolean activations,
    boolean attention,
    int topK,
    List<Integer> layers,
    List<Integer> heads,
    double weightThreshold,
    boolean logits,
    List<Integer> trackedTokens,
    int logitTopK,
    boolean quantError,
    boolean kvCache,
    long seed,
    Thresholds thresholds) {

  /** Copies the lists and checks the numbers. */
  public TracerConfig {
    layers = List.copyOf(layers);
    heads = List.copyOf(heads);
    trackedTokens = List.copyOf(trackedTokens);
    if (topK < 1 || logitTopK < 1) {
      throw new IllegalArgumentException("top-k must be at least 1");
    }
    if (!(weightThreshold >= 0 && weightThreshold <= 1)) {
      throw new IllegalArgumentException(
          "weight threshold must be from 0 to 1, not " + weightThreshold);
    }
  }

  /** Activations and KV cache: what costs next to nothing. */
  public static TracerConfig lightweight() {
    return builder().activations(true).kvCache(true).build();
  }

  /** Everything. */
  public static TracerConfig full() {
    return builder()
        .activations(true)
        .attention(true)
        .logits(true)
        .quantError(true)
        .kvCache(true)
        .build();
  }

  /** Nothing. */
  public static TracerConfig disabled() {
    return builder().build();
  }

  /** Starts from nothing; limits and sizes have their defaults. */
  public static TracerConfigBuilder builder() {
    return new TracerConfigBuilder();
  }

  /** Whether anything is traced. */
  public boolean isEnabled() {
    return activations || attention || logits || quantError || kvCache;
  }

  /** Whether the attention of a layer is traced. */
  public boolean wantsLayer(int layer) {
    return layers.isEmpty() || layers.contains(layer);
  }

  /** Whether the attention of a query head is traced. */
  public boolean wantsHead(int head) {
    return heads.isEmpty() || heads.contains(head);
  }
}
