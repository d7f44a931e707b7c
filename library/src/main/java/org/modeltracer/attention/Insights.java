package org.modeltracer.attention;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/**
 * Finds what stands out and says how sure one can be.
 *
 * <p>Confidence is 1 − p of a stated test, rows taken as independent; rows of one prompt are not
 * quite, so it flatters.
 */
final class Insights {
  private static final int EACH = 5;
  private final AttentionAnalyzer analyzer;
  private final List<AttentionInsight> insights = new ArrayList<>();

  private Insights(AttentionAnalyzer analyzer) {
    this.analyzer = analyzer;
  }

  static List<AttentionInsight> of(
      AttentionAnalyzer analyzer,
      AttentionPatterns patterns,
      HeadRedundancy redundancy,
      AttentionFlow flow) {
    var insights = new Insights(analyzer);
    insights.specialization();
    insights.patterns(patterns);
    insights.flow(flow);
    insights.redundancy(redundancy);
    insights.depth();
    return insights.insights;
  }

  private void specialization() {
    var found = new ArrayList<AttentionInsight>();
    for (int index : analyzer.seen()) {
      HeadStats stats = analyzer.stats(index);
      HeadSpecialization head = analyzer.specialization(index);
      Measure mass =
          switch (head.label()) {
            case SPECIAL_TOKEN -> stats.measure(Quantity.SPECIAL);
            case LOCAL -> stats.measure(Quantity.LOCAL);
            case GLOBAL -> stats.measure(Quantity.GLOBAL);
            case SEMANTIC ->
                stats.measure(
                    stats.mean(Quantity.FOLLOWERS) > stats.mean(Quantity.COPIES)
                        ? Quantity.FOLLOWERS
                        : Quantity.COPIES);
            case SYNTACTIC -> stats.measure(Quantity.STRUCTURAL);
            case POSITIONAL, MIXED -> null;
          };
      String name = analyzer.id(index).toString();
      if (head.label() == HeadSpecializationType.POSITIONAL) {
        double chance = stats.inverseKeys / stats.rowsWithChoice();
        double p = Significance.shareAbove(head.positional(), chance, head.rows());
        found.add(
            insight(
                AttentionInsight.Type.HEAD_SPECIALIZATION,
                text(
                    "%s looks %d tokens back in %.1f %% of %d rows",
                    name, head.offset(), 100 * head.positional(), head.rows()),
                p,
                "1 - p, binomial, argmax at random among visible keys",
                Map.of(
                    "head", name,
                    "offset", head.offset(),
                    "share", head.positional(),
                    "chance", chance,
                    "rows", head.rows())));
      } else if (mass != null) {
        double bound =
            switch (head.label()) {
              case SYNTACTIC -> stats.mean(Quantity.STRUCTURAL_BASE);
              case SEMANTIC -> 0.3;
              default -> 0.5;
            };
        found.add(
            insight(
                AttentionInsight.Type.HEAD_SPECIALIZATION,
                text(
                    "%s is %s: %.1f %% of its mass over %d rows",
                    name, head.label().id(), 100 * mass.mean(), mass.rows()),
                Significance.meanAbove(mass, bound),
                "1 - p, normal, mean mass above the bound",
                Map.of(
                    "head", name,
                    "mass", mass.mean(),
                    "std", mass.std(),
                    "bound", bound,
                    "rows", mass.rows())));
      }
    }
    found.sort(Comparator.comparingDouble(insight -> -insight.confidence()));
    insights.addAll(found.subList(0, Math.min(EACH, found.size())));
  }

  private void patterns(AttentionPatterns patterns) {
    patterns.blockPatterns().stream()
        .min(Comparator.comparingDouble(AttentionPatterns.Block::pValue))
        .ifPresent(
            block ->
                insights.add(
                    insight(
                        AttentionInsight.Type.PATTERN_DISCOVERY,
                        text(
                            "%s stays inside text segments %.2f times as much as chance",
                            block.layerHead(), block.internalStrength()),
                        block.pValue(),
                        "1 - p, normal, mass inside above its share of keys",
                        Map.of(
                            "head", block.layerHead().toString(),
                            "lift", block.internalStrength(),
                            "leakage", block.externalAttention(),
                            "rows", block.rows()))));
    patterns.repetitivePatterns().stream()
        .max(Comparator.comparingDouble(AttentionPatterns.Repetitive::z))
        .ifPresent(
            repeat ->
                insights.add(
                    insight(
                        AttentionInsight.Type.PATTERN_DISCOVERY,
                        text("%s repeats every %d tokens", repeat.layerHead(), repeat.period()),
                        repeat.pValue(),
                        "1 - p, normal, autocorrelation of the distance profile, all lags counted",
                        Map.of(
                            "head", repeat.layerHead().toString(),
                            "period", repeat.period(),
                            "autocorrelation", repeat.strength(),
                            "z", repeat.z(),
                            "rows", repeat.rows()))));
  }

  private void flow(AttentionFlow flow) {
    for (AttentionFlow.Bottleneck neck : flow.bottlenecks()) {
      if (neck.bottleneckType() == AttentionFlow.BottleneckType.FLOW) {
        insights.add(
            new AttentionInsight(
                AttentionInsight.Type.FLOW_ANALYSIS,
                text(
                    "layer %d holds %.1f %% of the minimum cuts to the last position",
                    neck.layer(), 100 * neck.severity()),
                neck.severity(),
                "share of cut capacity, an effect size",
                true,
                Map.of(
                    "layer", neck.layer(),
                    "cut_share", neck.severity(),
                    "paths", flow.flowPaths().size())));
      }
    }
  }

  private void redundancy(HeadRedundancy redundancy) {
    redundancy.redundantPairs().stream()
        .limit(EACH)
        .forEach(
            pair -> {
              var evidence = new TreeMap<String, Object>();
              evidence.put("head1", pair.head1().toString());
              evidence.put("head2", pair.head2().toString());
              evidence.put("similarity", pair.similarity());
              evidence.put("correlation", pair.correlation());
              evidence.put("rows", redundancy.rows());
              if (pair.cka() != null) evidence.put("cka", pair.cka());
              insights.add(
                  insight(
                      AttentionInsight.Type.REDUNDANCY_DETECTION,
                      text(
                          "%s and %s are %s, %.3f",
                          pair.head1(),
                          pair.head2(),
                          pair.redundancyType().name().toLowerCase(Locale.ROOT),
                          pair.similarity()),
                      Significance.correlationBeyond(pair.correlation(), redundancy.rows()),
                      "1 - p, Fisher z of the rows' correlation, one degree of freedom a row",
                      evidence));
            });
    redundancy.pruningRecommendations().stream()
        .limit(1)
        .forEach(
            advice ->
                insights.add(
                    new AttentionInsight(
                        AttentionInsight.Type.OPTIMIZATION_OPPORTUNITY,
                        "the KV group of " + advice.headToPrune() + " " + advice.reason(),
                        advice.confidence(),
                        "how far below half of an even share, an effect size",
                        true,
                        Map.of(
                            "head", advice.headToPrune().toString(),
                            "norm_share", advice.normShare(),
                            "performance_drop", advice.expectedImpact().performanceDrop(),
                            "bytes", advice.expectedImpact().memorySavings(),
                            "rows", advice.rows()))));
  }

  /** Does attention narrow or widen with depth? */
  private void depth() {
    var entropy = new TreeMap<Integer, double[]>();
    for (int index : analyzer.seen()) {
      double[] sum = entropy.computeIfAbsent(analyzer.id(index).layer(), l -> new double[2]);
      sum[0] += analyzer.stats(index).meanOrZero(Quantity.NORMALIZED_ENTROPY);
      sum[1]++;
    }
    double[] means = entropy.values().stream().mapToDouble(sum -> sum[0] / sum[1]).toArray();
    if (means.length < 4) {
      return;
    }
    double trend = Significance.trend(means);
    var evidence = new LinkedHashMap<String, Object>();
    evidence.put("normalized_entropy_by_layer", means);
    evidence.put("spearman", trend);
    evidence.put("layers", means.length);
    insights.add(
        insight(
            AttentionInsight.Type.BEHAVIOR_EXPLANATION,
            text(
                "attention %s with depth (rank correlation %.2f over %d layers)",
                trend > 0 ? "spreads" : "narrows", trend, means.length),
            Significance.correlationBeyond(trend, means.length),
            "1 - p, Fisher z of the rank correlation of entropy with depth",
            evidence));
  }

  private static String text(String format, Object... values) {
    return String.format(Locale.ROOT, format, values);
  }

  private static AttentionInsight insight(
      AttentionInsight.Type type,
      String text,
      double p,
      String means,
      Map<String, Object> evidence) {
    var numbers = new TreeMap<String, Object>(evidence);
    numbers.put("p_value", p);
    return new AttentionInsight(type, text, Math.clamp(1 - p, 0, 1), means, true, numbers);
  }
}
