package org.modeltracer.cli.terminal;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.modeltracer.sparse.BudgetPlan;
import org.modeltracer.sparse.PolicyReport;
import org.modeltracer.sparse.SparseReport;
import org.modeltracer.sparse.patterns.FixedPattern;
import org.modeltracer.sparse.patterns.HeadPattern;
import org.modeltracer.sparse.patterns.KindLift;
import org.modeltracer.sparse.patterns.PatternCluster;
import org.modeltracer.sparse.patterns.PatternKind;
import org.modeltracer.sparse.patterns.PatternReport;
import org.modeltracer.sparse.patterns.PatternReport.KindOfHead;
import org.modeltracer.sparse.patterns.PatternTrace;
import org.modeltracer.sparse.patterns.Savings;
import org.modeltracer.sparse.patterns.Savings.Selection;

/**
 * What attention is shaped like, for a person: a map of the heads, what they need, what it saves.
 */
final class PatternTables {
  private static final double CHANCE = 0.01;
  private static final double MORE = 1.25;
  private static final double WORTH_TELLING = 0.01;
  private static final int MOST_LIFTS = 3;
  private static final int MOST_LAYERS = 64;
  private static final int MOST_CLUSTERS = 8;
  private static final int HEADS_NAMED = 4;

  private final PatternReport report;
  private final List<BudgetPlan> plans;
  private final @Nullable PolicyReport policies;
  private final Terminal terminal;

  PatternTables(SparseReport of, Terminal terminal) {
    report = of.patterns();
    plans = of.plans();
    policies = of.policies();
    this.terminal = terminal;
  }

  void print() {
    if (!report.kinds().isEmpty()) {
      map();
      kinds();
      clusters();
    }
    if (report.heads().isEmpty()) {
      terminal.println("no patterns: " + report.absent().get("heads"));
    } else {
      savings();
    }
    plans();
  }

  private void map() {
    terminal.println("");
    String legend =
        report.kinds().stream()
            .map(kind -> letter(kind.kind()) + " " + PolicyTables.name(kind.kind()))
            .collect(Collectors.joining("  "));
    terminal.println(terminal.styled("bold", "layer  heads by pattern") + "  " + legend);
    var layers = new TreeMap<Integer, StringBuilder>();
    for (HeadPattern head : report.heads()) {
      StringBuilder line = layers.computeIfAbsent(head.layer(), l -> new StringBuilder());
      while (line.length() < head.head()) {
        line.append(' ');
      }
      line.append(letter(head.kind()));
    }
    layers
        .headMap(MOST_LAYERS)
        .forEach((layer, line) -> terminal.println("%5d  %s".formatted(layer, line)));
    if (layers.size() > MOST_LAYERS) {
      terminal.println("    …");
    }
  }

  private static char letter(@Nullable PatternKind kind) {
    return switch (kind) {
      case null -> '?';
      case SINK -> 'S';
      case DIAGONAL -> 'D';
      case STRIDED -> 'T';
      case BLOCK -> 'B';
      case LOCAL -> 'L';
      case GLOBAL -> 'G';
      case HETEROGENEOUS -> '·';
    };
  }

  private void kinds() {
    terminal.println("");
    terminal.println(
        terminal.styled("bold", "pattern        heads  keys for 95 %  fixed rule that holds it"));
    for (KindOfHead kind : report.kinds()) {
      List<HeadPattern> heads =
          report.heads().stream().filter(head -> head.kind() == kind.kind()).toList();
      terminal.println(
          "%-13s%7d%15s  %s"
              .formatted(
                  PolicyTables.name(kind.kind()),
                  kind.heads(),
                  PolicyTables.percent(
                      heads.stream().mapToDouble(PatternTables::needed).average().orElse(1)),
                  rule(heads)));
      lifts(kind.tokens());
    }
  }

  private static double needed(HeadPattern head) {
    return head.efficiency().get(PatternTrace.USUAL_MASS).share();
  }

  /** The rule that most of some heads do best with, and the range of keys that they then keep. */
  private static String rule(List<HeadPattern> heads) {
    var best = new ArrayList<FixedPattern>();
    for (HeadPattern head : heads) {
      head.efficiency().get(PatternTrace.USUAL_MASS).fixed().stream()
          .min(Comparator.comparingDouble(FixedPattern::keys))
          .ifPresent(best::add);
    }
    return best.stream().collect(Collectors.groupingBy(FixedPattern::form)).entrySet().stream()
        .max(Comparator.comparingInt(e -> e.getValue().size()))
        .map(
            e ->
                "%s, %s of the keys (%d of %d)"
                    .formatted(
                        PolicyTables.name(e.getKey()),
                        PolicyTables.percent(
                            e.getValue().stream()
                                .mapToDouble(FixedPattern::share)
                                .average()
                                .orElse(1)),
                        e.getValue().size(),
                        heads.size()))
        .orElse("–");
  }

  /** What heads attend to more, or less, than chance would have them. */
  private void lifts(List<KindLift> tokens) {
    List<KindLift> told =
        tokens.stream()
            .filter(t -> t.chance() <= CHANCE && Math.max(t.share(), t.base()) >= WORTH_TELLING)
            .sorted(Comparator.comparingDouble(t -> -Math.abs(Math.log(t.lift()))))
            .toList();
    String more = lifts(told.stream().filter(t -> t.lift() >= MORE));
    String less = lifts(told.stream().filter(t -> t.lift() <= 1 / MORE));
    if (!more.isEmpty() || !less.isEmpty()) {
      terminal.println(
          "  "
              + (more.isEmpty() ? "" : "more to " + more)
              + (more.isEmpty() || less.isEmpty() ? "" : "; ")
              + (less.isEmpty() ? "" : "less to " + less));
    }
  }

  private static String lifts(Stream<KindLift> tokens) {
    return tokens
        .limit(MOST_LIFTS)
        .map(t -> "%s %.1f×".formatted(PolicyTables.name(t.kind()), t.lift()))
        .collect(Collectors.joining(", "));
  }

  private void clusters() {
    for (PatternCluster cluster : report.clusters().stream().limit(MOST_CLUSTERS).toList()) {
      String named =
          cluster.heads().stream()
              .limit(HEADS_NAMED)
              .map(Object::toString)
              .collect(Collectors.joining(" "));
      terminal.println(
          "cluster %d: %d head%s, %s, cohesion %.2f: %s%s"
              .formatted(
                  cluster.clusterId(),
                  cluster.heads().size(),
                  cluster.heads().size() == 1 ? "" : "s",
                  cluster.kind() == null ? "–" : PolicyTables.name(cluster.kind()),
                  cluster.cohesion(),
                  named,
                  cluster.heads().size() > HEADS_NAMED ? " …" : ""));
      lifts(cluster.tokens());
    }
    String absent = report.absent().get("clusters");
    if (absent != null) {
      terminal.println("no clusters: " + absent);
    }
  }

  private void savings() {
    terminal.println("");
    terminal.println(
        terminal.styled(
            "bold", "mass kept    top k: keys  FLOPs saved  KV saved    fixed: keys  FLOPs  KV"));
    for (Savings top : report.total()) {
      if (top.selection() != Selection.TOP_K) {
        continue;
      }
      Savings fixed =
          report.total().stream()
              .filter(s -> s.selection() == Selection.FIXED && s.mass() == top.mass())
              .findFirst()
              .orElse(null);
      terminal.println(
          "%9s%15s%13s%10s%s"
              .formatted(
                  PolicyTables.percent(top.mass()),
                  PolicyTables.percent(top.kept()),
                  PolicyTables.percent(top.flopsSaved()),
                  kv(top),
                  fixed(fixed)));
    }
  }

  private static String fixed(@Nullable Savings fixed) {
    return fixed == null
        ? ""
        : "%15s%7s%6s"
            .formatted(
                PolicyTables.percent(fixed.kept()),
                PolicyTables.percent(fixed.flopsSaved()),
                kv(fixed));
  }

  /** A share of the cache, where there is one. */
  private static String kv(Savings savings) {
    return savings.kvBytes() == null ? "–" : PolicyTables.percent(savings.kvSaved());
  }

  private void plans() {
    if (policies == null || plans.isEmpty()) {
      return;
    }
    terminal.println("");
    terminal.println(
        terminal.styled("bold", "keys a layer   mass kept  shared by layers  top k, at best"));
    for (BudgetPlan plan : plans) {
      terminal.println(
          "%12d%12.3f%18.3f%16.3f"
              .formatted(plan.budget(), plan.eachRecall(), plan.sharedRecall(), plan.bound()));
    }
    plans.stream()
        .filter(plan -> plan.sharedRecall() >= policies.target())
        .findFirst()
        .ifPresent(this::plan);
  }

  /** The first plan that keeps enough. */
  private void plan(BudgetPlan plan) {
    String layers =
        plan.shared().stream()
            .collect(
                Collectors.groupingBy(
                    layer ->
                        "%s of %d".formatted(PolicyTables.name(layer.policy()), layer.budget()),
                    TreeMap::new,
                    Collectors.mapping(
                        layer -> String.valueOf(layer.layer()), Collectors.joining(","))))
            .entrySet()
            .stream()
            .map(e -> "%s in %s".formatted(e.getKey(), e.getValue()))
            .collect(Collectors.joining("; "));
    terminal.println("with %d keys: %s".formatted(plan.budget(), layers));
  }
}
