package org.modeltracer.llama;

import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * How the next token is chosen; llama.cpp's samplers, in the order in which its programs apply
 * them: penalties, top-k, top-p, min-p, temperature.
 *
 * @param temperature 0 for the most probable token always
 * @param topK most candidates kept; 0 for all
 * @param topP smallest set of candidates with this probability; 1 for all
 * @param minP least probability of a candidate, as a share of the largest; 0 for all
 * @param penalties what makes tokens that came before less probable
 * @param grammar rules in GBNF that the text must follow from its first token on; null for none
 * @param seed of the random choice
 */
public record SamplerOptions(
    float temperature,
    int topK,
    float topP,
    float minP,
    Penalties penalties,
    @Nullable String grammar,
    int seed) {

  /**
   * What tokens that came before lose of their score, by llama.cpp's formulas: a positive score is
   * divided by {@code repeat}, a negative one multiplied with it; then {@code frequency} times the
   * count is taken off, and {@code presence} once.
   *
   * @param last how many tokens are looked back at, of the prompt too; 0 for none, -1 for as many
   *     as the context holds
   * @param repeat 1 for nothing
   * @param frequency 0 for nothing
   * @param presence 0 for nothing
   */
  public record Penalties(int last, float repeat, float frequency, float presence) {
    /** No penalties, and llama.cpp's 64 tokens to look back at. */
    public static final Penalties NONE = new Penalties(64, 1, 0, 0);

    boolean none() {
      return last == 0 || (repeat == 1 && frequency == 0 && presence == 0);
    }

    /** The same, looking back at that many tokens where that is all of them. */
    public Penalties within(int contextTokens) {
      return last >= 0 ? this : new Penalties(contextTokens, repeat, frequency, presence);
    }
  }

  /** Without a least probability, penalties or a grammar. */
  public SamplerOptions(float temperature, int topK, float topP, int seed) {
    this(temperature, topK, topP, 0, Penalties.NONE, null, seed);
  }

  /** Always the most probable token. */
  public static SamplerOptions greedy() {
    return new SamplerOptions(0, 40, 0.95f, 0);
  }

  /** The same with a least probability, as a share of the largest. */
  public SamplerOptions withMinP(float share) {
    return new SamplerOptions(temperature, topK, topP, share, penalties, grammar, seed);
  }

  /** The same with other penalties. */
  public SamplerOptions withPenalties(Penalties other) {
    return new SamplerOptions(temperature, topK, topP, minP, other, grammar, seed);
  }

  /** The same with rules that the text must follow. */
  public SamplerOptions withGrammar(@Nullable String rules) {
    return new SamplerOptions(temperature, topK, topP, minP, penalties, rules, seed);
  }

  /** All of it by the names of llama.cpp's options, for reports. */
  public Map<String, @Nullable Object> toJson() {
    Map<String, @Nullable Object> options = new LinkedHashMap<>();
    options.put("temperature", temperature);
    options.put("top_k", topK);
    options.put("top_p", topP);
    options.put("min_p", minP);
    options.put("repeat_last_n", penalties.last);
    options.put("repeat_penalty", penalties.repeat);
    options.put("frequency_penalty", penalties.frequency);
    options.put("presence_penalty", penalties.presence);
    options.put("grammar", grammar);
    options.put("seed", Integer.toUnsignedLong(seed));
    return options;
  }

  /** Whether there is no randomness. */
  public boolean isGreedy() {
    return temperature <= 0;
  }
}
