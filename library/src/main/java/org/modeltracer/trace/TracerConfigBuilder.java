package org.modeltracer.trace;

import java.util.List;
import org.modeltracer.anomaly.Thresholds;

/** Puts a {@link TracerConfig} together; nothing is traced until asked for. */
public final class TracerConfigBuilder {
  private boolean activations;
  private boolean attention;
  private int topK = 10;
  private List<Integer> layers = List.of();
  private List<Integer> heads = List.of();
  private double weightThreshold = 0.01;
  private boolean logits;
  private List<Integer> trackedTokens = List.of();
  private int logitTopK = 10;
  private boolean quantError;
  private boolean kvCache;
  private long seed = 42;
  private Thresholds thresholds = Thresholds.defaults();

  TracerConfigBuilder() {}

  /** Whether to keep statistics of the watched tensors. */
  public TracerConfigBuilder activations(boolean on) {
    activations = on;
    return this;
  }

  /** Whether to trace rows of attention. */
  public TracerConfigBuilder attention(boolean on) {
    attention = on;
    return this;
  }

  /** Keys listed per attention row, 10 by default. */
  public TracerConfigBuilder topK(int keys) {
    topK = keys;
    return this;
  }

  /** Layers whose attention is traced; empty, the default, means all. */
  public TracerConfigBuilder layers(List<Integer> only) {
    layers = only;
    return this;
  }

  /** Query heads whose attention is traced; empty, the default, means all. */
  public TracerConfigBuilder heads(List<Integer> only) {
    heads = only;
    return this;
  }

  /** Weight below which a key is not listed, 0 to 1, 0.01 by default. */
  public TracerConfigBuilder weightThreshold(double weight) {
    weightThreshold = weight;
    return this;
  }

  /** Whether to trace scores of tokens. */
  public TracerConfigBuilder logits(boolean on) {
    logits = on;
    return this;
  }

  /** Token ids whose scores are traced; empty, the default, means the highest and the chosen. */
  public TracerConfigBuilder trackedTokens(List<Integer> tokens) {
    trackedTokens = tokens;
    return this;
  }

  /** How many of the highest scores are traced when no tokens are named, 10 by default. */
  public TracerConfigBuilder logitTopK(int tokens) {
    logitTopK = tokens;
    return this;
  }

  /** Whether to trace errors against a reference model. */
  public TracerConfigBuilder quantError(boolean on) {
    quantError = on;
    return this;
  }

  /** Whether to trace the state of the KV cache. */
  public TracerConfigBuilder kvCache(boolean on) {
    kvCache = on;
    return this;
  }

  /** Seed of the samples kept, 42 by default. */
  public TracerConfigBuilder seed(long value) {
    seed = value;
    return this;
  }

  /** Limits of the anomaly rules. */
  public TracerConfigBuilder thresholds(Thresholds limits) {
    thresholds = limits;
    return this;
  }

  /**
   * The configuration.
   *
   * @throws IllegalArgumentException on a top-k below 1 or a weight outside 0 to 1
   */
  public TracerConfig build() {
    return new TracerConfig(
        activations,
        attention,
        topK,
        layers,
        heads,
        weightThreshold,
        logits,
        trackedTokens,
        logitTopK,
        quantError,
        kvCache,
        seed,
        thresholds);
  }
}
