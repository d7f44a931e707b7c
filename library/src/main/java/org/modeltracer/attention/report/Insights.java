package org.modeltracer.attention.report;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import org.modeltracer.attention.CopyDistances;
import org.modeltracer.attention.PositionCounters;
import org.modeltracer.attention.Quantity;
import org.modeltracer.attention.RowTotals;

/**
 * Finds what stands out and says how sure one can be.
 *
 * <p>Confidence is 1 − p of a stated test, rows taken as independent; rows of one prompt are not
 * quite, so it flatters. What a test does not find at p of at most 0.05 is not said.
 */
final class Insights {
  private static final int EACH = 5;

  private final CopyDistances copies;
  private final List<AttentionInsight> insights = new ArrayList<>();

  private Insights(CopyDistances copies) {
    this.copies = copies;
  }

  static List<AttentionInsight> of(
      NavigableMap<Integer, List<LabelledHead>> layers,
      CopyDistances copies,
      AttentionPatterns patterns,
      HeadRedundancy redundancy,
      AttentionFlow flow) {
    var found = new Insights(copies);
    found.specialization(layers);
    found.patterns(patterns);
    found.flow(flow);
    found.redundancy(redundancy);
    found.depth(layers);
    return found.insights;
  }

  private void specialization(NavigableMap<Integer, List<LabelledHead>> layers) {
    layers.values().stream()
        .flatMap(List::stream)
        .flatMap(head -> specialization(head).stream())
        .sorted(Comparator.comparingDouble(insight -> -insight.confidence()))
        .limit(EACH)
        .forEach(insights::add);
  }

  private Optional<AttentionInsight> specialization(LabelledHead head) {
    RowTotals rows = head.collected().rows();
    HeadSpecializationType label = head.label();
    if (label == null) return Optional.empty();
    return switch (label) {
      case POSITIONAL -> positional(head);
      case SPECIAL_TOKEN -> mass(head, Quantity.SPECIAL, rows.mean(Quantity.SPECIAL_BASE));
      case LOCAL -> mass(head, Quantity.LOCAL, rows.mean(Quantity.LOCAL_BASE));
      case GLOBAL -> mass(head, Quantity.GLOBAL, rows.mean(Quantity.GLOBAL_BASE));
      case SEMANTIC -> semantic(head);
      case SYNTACTIC -> mass(head, Quantity.STRUCTURAL, rows.mean(Quantity.STRUCTURAL_BASE));
      case MIXED -> Optional.empty();
    };
  }

  /** Copies or followers, whichever exceed more what distance alone explains. */
  private Optional<AttentionInsight> semantic(LabelledHead head) {
    RowTotals rows = head.collected().rows();
    double copied = copies.expectedCopies(head.collected().positions());
    double followed = copies.expectedFollowers(head.collected().positions());
    return Chance.excess(rows.meanOrZero(Quantity.FOLLOWERS), followed)
            > Chance.excess(rows.meanOrZero(Quantity.COPIES), copied)
        ? mass(head, Quantity.FOLLOWERS, followed)
        : mass(head, Quantity.COPIES, copied);
  }

  private static Optional<AttentionInsight> positional(LabelledHead head) {
    HeadSpecialization scores = head.specialization();
    double chance = head.collected().rows().chanceOfOneKey();
    return tested(
        AttentionInsight.Type.HEAD_SPECIALIZATION,
        text(
            "%s looks %d tokens back in %.1f %% of %d rows",
            head.id(), scores.offset(), 100 * scores.positional(), scores.rows()),
        anyOffset(head, chance),
        "1 - p, binomial, argmax at random among visible keys, all offsets counted",
        Map.of(
            "layer", head.id().layer(),
            "head", head.id().head(),
            "offset", scores.offset(),
            "share", scores.positional(),
            "chance", chance,
            "rows", scores.rows()));
  }

  /** Chance of as many argmaxes at one offset, whichever it is. */
  static double anyOffset(LabelledHead head, double chance) {
    PositionCounters positions = head.collected().positions();
    HeadSpecialization scores = head.specialization();
    double one = Significance.successes(positions.argmaxAt(scores.offset()), scores.rows(), chance);
    return Math.min(1, one * positions.rowsAtDistance().length);
  }

  private static Optional<AttentionInsight> mass(
      LabelledHead head, Quantity quantity, double expected) {
    return Optional.ofNullable(head.collected().rows().measure(quantity))
        .flatMap(
            mass ->
                tested(
                    AttentionInsight.Type.HEAD_SPECIALIZATION,
                    text(
                        "%s is %s: %.1f %% of its mass over %d rows, %.1f %% by chance",
                        head.id(),
                        Objects.requireNonNull(head.label()).id(),
                        100 * mass.mean(),
                        mass.rows(),
                        100 * expected),
                    Significance.meanAbove(mass, expected),
                    "1 - p, Student's t, mean mass above what chance gives",
                    Map.of(
                        "layer", head.id().layer(),
                        "head", head.id().head(),
                        "mass", mass.mean(),
                        "std", mass.std(),
                        "expected", expected,
                        "rows", mass.rows())));
  }

  private void patterns(AttentionPatterns patterns) {
    patterns.blockPatterns().stream()
        .min(Comparator.comparingDouble(AttentionPatterns.Block::pValue))
        .flatMap(Insights::block)
        .ifPresent(insights::add);
    patterns.repetitivePatterns().stream()
        .max(Comparator.comparingDouble(AttentionPatterns.Repetitive::peak))
        .flatMap(Insights::repetitive)
        .ifPresent(insights::add);
  }

  private static Optional<AttentionInsight> block(AttentionPatterns.Block block) {
    return tested(
        AttentionInsight.Type.PATTERN_DISCOVERY,
        text(
            "%s stays inside text segments %.2f times as much as its distances explain",
            block.layerHead(), block.internalStrength()),
        block.pValue(),
        "1 - p, Student's t over segments, mass inside above what distances explain",
        Map.of(
            "layer", block.layerHead().layer(),
            "head", block.layerHead().head(),
            "lift", block.internalStrength(),
            "leakage", block.externalAttention(),
            "segments", block.segments(),
            "rows", block.rows()));
  }

  private static Optional<AttentionInsight> repetitive(AttentionPatterns.Repetitive repeat) {
    return tested(
        AttentionInsight.Type.PATTERN_DISCOVERY,
        text("%s repeats every %d tokens", repeat.layerHead(), repeat.period()),
        repeat.pValue(),
        "1 - p, F, a line in the spectrum of the distance profile, all frequencies counted",
        Map.of(
            "layer", repeat.layerHead().layer(),
            "head", repeat.layerHead().head(),
            "period", repeat.period(),
            "autocorrelation", repeat.strength(),
            "peak", repeat.peak(),
            "rows", repeat.rows()));
  }

  private void flow(AttentionFlow flow) {
    for (AttentionFlow.Bottleneck neck : flow.bottlenecks()) {
      if (neck.bottleneckType() == AttentionFlow.BottleneckType.FLOW) {
        insights.add(
            sized(
                AttentionInsight.Type.FLOW_ANALYSIS,
                text(
                    "layer %d holds back %.1f %% of what could reach position %d",
                    neck.layer(), 100 * neck.severity(), flow.flowPaths().getFirst().endPosition()),
                neck.severity(),
                "share of the ends' capacity that the layer's cut holds back, an effect size",
                Map.of(
                    "layer", neck.layer(),
                    "held_back", neck.severity(),
                    "paths", flow.flowPaths().size())));
      }
    }
  }

  private void redundancy(HeadRedundancy redundancy) {
    redundancy.redundantPairs().stream()
        .filter(pair -> pair.correlation() != null)
        .limit(EACH)
        .flatMap(pair -> alike(pair).stream())
        .forEach(insights::add);
    redundancy.pruningRecommendations().stream()
        .filter(advice -> advice.verdict() == Pruning.Verdict.CANDIDATE)
        .limit(1)
        .map(Insights::removable)
        .forEach(insights::add);
  }

  private static Optional<AttentionInsight> alike(HeadRedundancy.Pair pair) {
    double correlation = Objects.requireNonNull(pair.correlation());
    var evidence = new TreeMap<String, Object>();
    evidence.put("head1", pair.head1());
    evidence.put("head2", pair.head2());
    evidence.put("similarity", pair.similarity());
    evidence.put("correlation", correlation);
    evidence.put("rows", pair.rows());
    if (pair.cka() != null) evidence.put("cka", pair.cka());
    return tested(
        AttentionInsight.Type.REDUNDANCY_DETECTION,
        text(
            "%s and %s are %s, %.3f",
            pair.head1(),
            pair.head2(),
            pair.redundancyType().name().toLowerCase(Locale.ROOT),
            pair.similarity()),
        Significance.correlationBeyond(correlation, pair.rows()),
        "1 - p, Student's t of the rows' correlation, one degree of freedom per row",
        evidence);
  }

  private static AttentionInsight removable(Pruning.Recommendation advice) {
    return sized(
        AttentionInsight.Type.OPTIMIZATION_OPPORTUNITY,
        "the KV group of " + advice.headToPrune() + " " + advice.reason(),
        advice.confidence(),
        "how far below half of an even share, an effect size",
        Map.of(
            "layer", advice.headToPrune().layer(),
            "head", advice.headToPrune().head(),
            "norm_share", advice.normShare(),
            "performance_drop", advice.expectedImpact().performanceDrop(),
            "bytes", advice.expectedImpact().memorySavings(),
            "rows", advice.rows()));
  }

  /** Does attention narrow or widen with depth? */
  private void depth(NavigableMap<Integer, List<LabelledHead>> layers) {
    double[] means = layers.values().stream().mapToDouble(Insights::meanEntropy).toArray();
    double trend = Significance.trend(means);
    tested(
            AttentionInsight.Type.BEHAVIOR_EXPLANATION,
            text(
                "attention %s with depth (rank correlation %.2f over %d layers)",
                trend > 0 ? "spreads" : "narrows", trend, means.length),
            Significance.trendBeyond(means),
            "1 - p, rank correlation of entropy with depth, all orders of layers as likely",
            Map.of("normalized_entropy_by_layer", means, "spearman", trend, "layers", means.length))
        .ifPresent(insights::add);
  }

  private static double meanEntropy(List<LabelledHead> heads) {
    double sum = 0;
    for (LabelledHead head : heads) {
      sum += head.collected().rows().meanOrZero(Quantity.NORMALIZED_ENTROPY);
    }
    return sum / heads.size();
  }

  private static String text(String format, Object... values) {
    return String.format(Locale.ROOT, format, values);
  }

  /** What a test found, the confidence being 1 − p; nothing where p is above 0.05. */
  private static Optional<AttentionInsight> tested(
      AttentionInsight.Type type,
      String text,
      double p,
      String means,
      Map<String, Object> evidence) {
    if (!(p <= Chance.LARGEST)) {
      return Optional.empty();
    }
    var numbers = new TreeMap<String, Object>(evidence);
    numbers.put("p_value", p);
    return Optional.of(sized(type, text, 1 - p, means, numbers));
  }

  /** What is as sure as its effect is large. */
  private static AttentionInsight sized(
      AttentionInsight.Type type,
      String text,
      double effect,
      String means,
      Map<String, Object> evidence) {
    return new AttentionInsight(type, text, effect, means, true, new TreeMap<>(evidence));
  }
}
