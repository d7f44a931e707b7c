package org.modeltracer.cli.terminal;

import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.modeltracer.attention.TwoWayMeans;
import org.modeltracer.attention.report.AttentionAnalysis;
import org.modeltracer.attention.report.AttentionFlow;
import org.modeltracer.attention.report.AttentionInsight;
import org.modeltracer.attention.report.AttentionPatterns;
import org.modeltracer.attention.report.HeadCluster;
import org.modeltracer.attention.report.HeadRedundancy;
import org.modeltracer.attention.report.HeadRedundancy.EssentialHead;
import org.modeltracer.attention.report.HeadSpecializationType;
import org.modeltracer.attention.report.Pruning;
import org.modeltracer.attention.report.RolloutAttribution;
import org.modeltracer.attention.report.TwoWayHead;
import org.modeltracer.model.HeadId;

/** What stands out in an attention analysis, for a person at a terminal. */
public final class AttentionReport {
  private static final int SHOWN = 5;

  private final AttentionAnalysis analysis;
  private final Terminal terminal;

  public AttentionReport(AttentionAnalysis analysis, Terminal terminal) {
    this.analysis = analysis;
    this.terminal = terminal;
  }

  public void print() {
    terminal.println("");
    if (!analysis.attentionWeights().isEmpty()) {
      HeadMap.of(analysis, terminal).print();
    }
    twoWay();
    patterns(analysis.attentionPatterns());
    clusters(analysis.headSpecialization().headClusters());
    redundancy(analysis.headSpecialization().redundancyAnalysis());
    attribution(analysis.rollout());
    flow(analysis.attentionFlow());
    insights(analysis.attentionStats().insights());
    analysis
        .absent()
        .forEach(
            (field, reason) ->
                terminal.println(terminal.styled("faint", "absent: " + field + ": " + reason)));
  }

  /** Lists heads of layers in which tokens see later ones too. */
  public void twoWay() {
    List<TwoWayHead> heads = analysis.twoWayHeads();
    if (heads.isEmpty()) {
      return;
    }
    title(
        "Heads that see both ways: mean weight on the previous, the next, the own, the first"
            + " token");
    for (TwoWayHead head : heads) {
      TwoWayHead.Label label = head.twoWayLabel();
      TwoWayMeans means = head.means();
      terminal.println(
          "  %-8s %-15s %5.2f %5.2f %5.2f %5.2f   special %.2f, punctuation %.2f; %.1f back, %.1f ahead"
              .formatted(
                  head.id(),
                  label == null ? "" : label.name().toLowerCase(Locale.ROOT).replace('_', ' '),
                  means.previousToken(),
                  means.nextToken(),
                  means.self(),
                  means.firstToken(),
                  means.special(),
                  means.structural(),
                  means.distanceBack(),
                  means.distanceAhead()));
    }
  }

  private void title(String text) {
    terminal.println("");
    terminal.println(terminal.styled("bold", text));
  }

  private void patterns(AttentionPatterns patterns) {
    title("Patterns");
    list(
        "diagonal",
        patterns.diagonalPatterns(),
        Comparator.comparingDouble(d -> -d.coverage()),
        d -> "%s %d back (%.0f %%)".formatted(d.layerHead(), d.offset(), 100 * d.coverage()));
    list(
        "vertical",
        patterns.verticalPatterns(),
        Comparator.comparingDouble(v -> -v.strength()),
        v -> "%s on %d (%.2f)".formatted(v.layerHead(), v.targetPosition(), v.strength()));
    list(
        "blocks",
        patterns.blockPatterns(),
        Comparator.comparingDouble(b -> -b.internalStrength()),
        b ->
            "%s inside segments, %.1f × what distances explain"
                .formatted(b.layerHead(), b.internalStrength()));
    list(
        "periodic",
        patterns.repetitivePatterns(),
        Comparator.comparingDouble(r -> -r.peak()),
        r -> "%s every %d".formatted(r.layerHead(), r.period()));
  }

  private <T> void list(String name, List<T> all, Comparator<T> order, Function<T, String> text) {
    list(name, all.stream().sorted(order).toList(), all.size(), text);
  }

  /** The first of a list, of which there may be more than it holds. */
  private <T> void list(String name, List<T> all, long total, Function<T, String> text) {
    String shown = all.stream().limit(SHOWN).map(text).collect(Collectors.joining(", "));
    String more = total > SHOWN ? ", %,d more".formatted(total - SHOWN) : "";
    terminal.println("  %-9s %s%s".formatted(name, all.isEmpty() ? "none" : shown, more));
  }

  private void clusters(List<HeadCluster> clusters) {
    if (clusters.isEmpty()) {
      return;
    }
    title("Clusters of heads that attend alike");
    clusters.stream()
        .sorted(Comparator.comparingInt((HeadCluster c) -> -c.heads().size()))
        .limit(SHOWN)
        .forEach(
            c ->
                terminal.println(
                    "  %d %s%s, cohesion %.2f"
                        .formatted(c.heads().size(), heads(c.heads()), mostly(c), c.cohesion())));
  }

  private static String mostly(HeadCluster cluster) {
    HeadSpecializationType type = cluster.specialization();
    return type == null ? "" : ", mostly " + type.id().replace('_', ' ');
  }

  private static String heads(List<HeadId> heads) {
    String shown = heads.stream().limit(8).map(HeadId::toString).collect(Collectors.joining(" "));
    return "(" + shown + (heads.size() > 8 ? " …)" : ")");
  }

  private void redundancy(HeadRedundancy redundancy) {
    title("Redundancy and pruning (correlational, not ablated)");
    list(
        "alike",
        redundancy.redundantPairs(),
        redundancy.redundantPairsTotal(),
        p ->
            "%s %s %s %.3f"
                .formatted(p.head1(), p.head2(), lower(p.redundancyType()), p.similarity()));
    redundancy.pruningRecommendations().stream()
        .limit(SHOWN)
        .forEach(
            r ->
                terminal.println(
                    "  %s %s, risk %s: %s; saves %,d bytes and %,.0f FLOPs a token"
                        .formatted(
                            r.verdict() == Pruning.Verdict.CANDIDATE ? "prune" : "undecided",
                            heads(r.heads()),
                            lower(r.expectedImpact().riskLevel()),
                            r.reason(),
                            r.expectedImpact().memorySavings(),
                            r.expectedImpact().computationalSavings())));
    if (!redundancy.essentialHeads().isEmpty()) {
      terminal.println(
          "  essential: "
              + heads(redundancy.essentialHeads().stream().map(EssentialHead::id).toList()));
    }
  }

  private void attribution(RolloutAttribution rollout) {
    if (rollout.tokens().isEmpty()) {
      return;
    }
    title(
        "Where the information of position %d comes from, beyond uniform attention (rollout)"
            .formatted(rollout.target()));
    rollout.tokens().stream()
        .sorted(Comparator.comparingDouble(t -> -t.excess()))
        .limit(SHOWN)
        .forEach(
            t ->
                terminal.println(
                    "  %4d %-16s %.3f (%+.3f)%s"
                        .formatted(
                            t.position(),
                            quoted(t.token()),
                            t.attribution(),
                            t.excess(),
                            t.pooled() == null
                                ? ""
                                : "; mean of all positions %.3f".formatted(t.pooled()))));
  }

  private void flow(AttentionFlow flow) {
    if (flow.flowPaths().isEmpty()) {
      return;
    }
    title("Flow to position " + flow.flowPaths().getFirst().endPosition());
    for (AttentionFlow.Path path : flow.flowPaths()) {
      terminal.println(
          "  from %d: strongest path %.4f of rollout %.4f, in %d moves; maximum flow %.3f"
              .formatted(
                  path.startPosition(),
                  path.totalStrength(),
                  path.rollout(),
                  path.pathLength(),
                  path.maxFlow()));
    }
    for (AttentionFlow.Bottleneck neck : flow.bottlenecks()) {
      terminal.println(
          "  narrow: layer %d, %s, severity %.2f"
              .formatted(neck.layer(), lower(neck.bottleneckType()), neck.severity()));
    }
  }

  private void insights(List<AttentionInsight> insights) {
    title("Insights");
    for (AttentionInsight insight : insights) {
      terminal.println(
          "  "
              + insight.description()
              + terminal.styled(
                  "@|faint  (%.3f: %s)|@"
                      .formatted(insight.confidence(), insight.confidenceMeans())));
    }
  }

  private static String lower(Enum<?> constant) {
    return constant.name().toLowerCase(Locale.ROOT);
  }

  private static String quoted(String token) {
    return "'" + token.replace("\n", "\\n") + "'";
  }
}
