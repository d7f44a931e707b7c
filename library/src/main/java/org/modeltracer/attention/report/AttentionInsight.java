package org.modeltracer.attention.report;

import java.util.Map;

/**
 * Something that stands out, with the numbers a reader needs to check it.
 *
 * @param insightType what it is about
 * @param description one sentence
 * @param confidence a chance or an effect size, as {@code confidenceMeans} says
 * @param confidenceMeans how the confidence was computed
 * @param correlational whether it only describes weights, no intervention having confirmed it
 * @param evidence names and numbers behind it, in order of name
 */
public record AttentionInsight(
    Type insightType,
    String description,
    double confidence,
    String confidenceMeans,
    boolean correlational,
    Map<String, Object> evidence) {
  /** What an insight is about. */
  public enum Type {
    /** What a head is for. */
    HEAD_SPECIALIZATION,
    /** A shape in attention matrices. */
    PATTERN_DISCOVERY,
    /** How information travels. */
    FLOW_ANALYSIS,
    /** Heads that do the same. */
    REDUNDANCY_DETECTION,
    /** What could be removed. */
    OPTIMIZATION_OPPORTUNITY,
    /** How the model behaves as a whole. */
    BEHAVIOR_EXPLANATION
  }
}
