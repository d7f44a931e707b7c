package org.modeltracer.llama;

/**
 * How the next token is chosen.
 *
 * @param temperature 0 for the most probable token always
 * @param topK most candidates kept; 0 for all
 * @param topP smallest set of candidates with this probability; 1 for all
 * @param seed of the random choice
 */
public record SamplerOptions(float temperature, int topK, float topP, int seed) {
  /** Always the most probable token. */
  public static SamplerOptions greedy() {
    return new SamplerOptions(0, 40, 0.95f, 0);
  }

  /** Whether there is no randomness. */
  public boolean isGreedy() {
    return temperature <= 0;
  }
}
