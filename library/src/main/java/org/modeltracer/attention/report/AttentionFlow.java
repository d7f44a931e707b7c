package org.modeltracer.attention.report;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.modeltracer.attention.LayerFlow;
import org.modeltracer.model.HeadId;

/**
 * How attention carries information from positions to the last one, or to the first one of a text
 * that is read both ways; correlational.
 *
 * @param flowPaths strongest path from that position to each of the sources that matter most
 * @param bottlenecks layers that are clearly narrower than the others, most severe first
 * @param efficiencyMetrics the whole in four numbers, null without a flow graph
 * @param tokenFlow all of it, layer by layer; null without a flow graph
 * @param layerFlowStats the residual stream through each layer, where norms were handed in
 * @param reason why paths are absent, null when they are there
 */
public record AttentionFlow(
    List<Path> flowPaths,
    List<Bottleneck> bottlenecks,
    @Nullable Efficiency efficiencyMetrics,
    @Nullable TokenFlow tokenFlow,
    Map<Integer, LayerFlow> layerFlowStats,
    @Nullable String reason) {
  /** What a layer does to the flow at one step of a path. */
  public enum Transformation {
    /** It stays where it is, by the residual stream. */
    DIRECT,
    /** It leaves a row whose entropy is at least 0.7 of the largest. */
    DIFFUSION,
    /** It leaves a row whose entropy is at most 0.3 of the largest. */
    CONCENTRATION,
    /** It leaves a row between the two. */
    ROUTING
  }

  /** In what sense a layer is narrow. */
  public enum BottleneckType {
    /** Relative drop of exp H of the rollout's rows: fewer positions are still distinguished. */
    INFORMATION,
    /**
     * Least mean entropy of head-averaged rows, below the other layers' median: few keys are read.
     */
    ATTENTION,
    /** Least effective rank of Ā, below the other layers' median. Roy and Vetterli 2007. */
    CAPACITY,
    /** Most of what minimum cuts hold back of the ends' capacity. Abnar and Zuidema 2020. */
    FLOW
  }

  /**
   * One step of a path, down through one layer.
   *
   * @param layer the layer
   * @param head head with the largest weight on the pair, null for a step that stays
   * @param strength Â of the step
   * @param transformation what the layer does
   * @param involvedTokens the position it leaves and the position it reaches
   */
  public record Step(
      int layer,
      @Nullable Integer head,
      double strength,
      Transformation transformation,
      List<Integer> involvedTokens) {}

  /**
   * The path of largest product from a target, above the last layer, to a source below the first.
   *
   * @param pathId {@code target-source}
   * @param startPosition the source
   * @param endPosition the target
   * @param flowSteps one per layer with attention, last layer first
   * @param totalStrength product of the steps
   * @param pathLength steps that change position; structural: nearly always 1, as each step that
   *     stays keeps half at least and each that moves gives away half at least
   * @param maxFlow maximum flow over all paths, exact, at most 1
   * @param rollout rollout weight: sum of the products of all paths
   */
  public record Path(
      String pathId,
      int startPosition,
      int endPosition,
      List<Step> flowSteps,
      double totalStrength,
      int pathLength,
      double maxFlow,
      double rollout) {}

  /**
   * A narrow layer.
   *
   * @param location the layer, with the head that leads most often there for {@code ATTENTION}
   * @param layer the layer
   * @param bottleneckType in what sense
   * @param severity in [0.25, 1]: how much narrower than the other layers, or what is lost
   * @param affectedPaths ids of the paths that move in this layer
   */
  public record Bottleneck(
      @Nullable HeadId location,
      int layer,
      BottleneckType bottleneckType,
      double severity,
      List<String> affectedPaths) {}

  /**
   * The flow in four numbers.
   *
   * @param overallEfficiency mean maximum flow of the paths
   * @param informationPreservation effective rank of the rollout over its order; null when too long
   * @param flowRedundancy mean share of rollout that does not run along the strongest path
   * @param bottleneckImpact mean share of the end capacities that inner layers hold back
   * @param paths paths behind the means
   */
  public record Efficiency(
      double overallEfficiency,
      @Nullable Double informationPreservation,
      double flowRedundancy,
      double bottleneckImpact,
      int paths) {}
}
