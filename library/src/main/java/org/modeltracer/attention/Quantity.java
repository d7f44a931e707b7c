package org.modeltracer.attention;

/**
 * What is measured in each row of attention weights; a head reports mean, spread and row count.
 *
 * <p>A row is query i with weights a over its k visible keys j.
 */
public enum Quantity {
  /** H = −Σ a ln a in nats. Clark et al. 2019, section 3.3. */
  ENTROPY,
  /** H / ln k in [0, 1]; rows with k of at least 2. */
  NORMALIZED_ENTROPY,
  /** Entropy, in nats, of the row without position 0, made to sum to 1 again. */
  ENTROPY_WITHOUT_SINK,
  /** Largest weight. Abnar and Zuidema 2020. */
  CONCENTRATION,
  /** Share of visible keys below the sparsity threshold. */
  SPARSITY,
  /** Smallest number of keys that hold 95 % of the mass. */
  KEYS_FOR_95,
  /** Mass outside the largest weights. */
  TAIL_MASS,
  /** Σ a (i − j), in tokens. Clark et al. 2019. */
  DISTANCE,
  /** Distance over that of uniform attention to the same keys; rows with k of at least 2. */
  RELATIVE_DISTANCE,
  /** Weight on the query's own position. */
  SELF,
  /** Weight on the previous position; rows that see it. Olsson et al. 2022. */
  PREVIOUS_TOKEN,
  /** Weight on position 0; rows after it that see it. Gu et al. 2024. */
  SINK,
  /** Mass at distances 1 to the local reach; rows with k of at least 2. */
  LOCAL,
  /** Share of the local distances among the visible keys of the same rows: uniform attention. */
  LOCAL_BASE,
  /** Mass beyond the global distance; rows that see that far. */
  GLOBAL,
  /** Share of keys that far among the visible keys of the same rows: uniform attention. */
  GLOBAL_BASE,
  /** Mass on position 0 and on special tokens; rows with k of at least 2. */
  SPECIAL,
  /** Share of position 0 and special tokens among the visible keys: uniform attention. */
  SPECIAL_BASE,
  /** Mass on structural tokens; rows that see one. */
  STRUCTURAL,
  /** Share of structural tokens among the visible keys of the same rows: the base rate. */
  STRUCTURAL_BASE,
  /** Mass inside the query's own text segment; rows that see beyond it. */
  INSIDE,
  /** Share of the segment among the visible keys of the same rows: uniform expectation. */
  INSIDE_BASE,
  /** Weight on the latest earlier copy of the query's token; rows that see it. Wang et al. 2022. */
  DUPLICATE_TOKEN,
  /** Weight on what followed that copy, the induction target; rows that see it. Olsson 2022. */
  INDUCTION,
  /** Mass on all earlier copies of the query's token; rows that see one. */
  COPIES,
  /** Mass on what followed earlier copies of the query's token; rows that see such a token. */
  FOLLOWERS,
  /**
   * 1 when the largest weight falls on a follower of an earlier copy and that token does come next,
   * else 0; rows where some follower in sight comes next, which the row of a token that is still to
   * be continued cannot know. Wu et al. 2024.
   */
  RETRIEVAL,
  /**
   * Entropy, in nats, of a_j ‖f(x_j)‖ made to sum to 1, f being the head's value and output
   * projection; rows whose value norms are known. Kobayashi et al. 2020, equation 2.
   */
  NORM_WEIGHTED_ENTROPY,
  /** Distance under the same norm-weighted weights, in tokens. */
  NORM_WEIGHTED_DISTANCE,
  /** Share of position 0 in the same norm-weighted weights; rows after it that see it. */
  NORM_WEIGHTED_SINK
}
