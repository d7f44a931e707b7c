package org.modeltracer.attach;

import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.anomaly.AnomalyKind;
import org.modeltracer.anomaly.Cause;
import org.modeltracer.anomaly.RootCause;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.graph.GraphNode;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Op;
import org.modeltracer.llama.TensorType;
import org.modeltracer.model.RunningStats;
import org.modeltracer.model.TensorState;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.weights.BadWeight;
import org.modeltracer.weights.WeightStats;
import org.modeltracer.weights.Weights;

/**
 * Looks for the root of bad values where nothing can be run again: after a bad pass every node of
 * the next ones is watched, and the first that is bad while its inputs are not is told.
 *
 * <p>It is what a later pass shows, and says so: what happened once and left nothing behind is not
 * found in this way, and bad values that a cache keeps show where they are read.
 */
final class LaterPassWatch {
  /** Passes that are watched until one is bad again. */
  private static final int PASSES = 4;

  private static final Set<Op> NO_WORK =
      EnumSet.of(Op.NONE, Op.VIEW, Op.RESHAPE, Op.PERMUTE, Op.TRANSPOSE, Op.SET_ROWS, Op.CPY);
  private static final Set<AnomalyKind> NUMERIC =
      EnumSet.of(AnomalyKind.NAN, AnomalyKind.INF, AnomalyKind.MASKED_ROW, AnomalyKind.LOGITS);

  private final LlamaRuntime runtime;
  private final ModelTracer tracer;
  private final RunningStats stats = new RunningStats();
  private final Map<GraphNode, TensorState> states = new HashMap<>();
  private int left;
  private int watched;
  private boolean over;
  private boolean applies;
  private int since;
  private @Nullable RootCause found;

  LaterPassWatch(LlamaRuntime runtime, ModelTracer tracer) {
    this.runtime = runtime;
    this.tracer = tracer;
  }

  /** Whether every node of the passes now running is to be watched. */
  boolean wide() {
    return left > 0;
  }

  /** Whether a node has values of its own that the agent can reduce. */
  static boolean watches(GraphNode node) {
    return node.type() == TensorType.F32 && !NO_WORK.contains(node.op());
  }

  /** From that version of the plan on every node is watched, or no longer. */
  void planned(int version) {
    since = version;
  }

  /** A pass begins, by a plan of that version: the program may be some passes ahead. */
  void begin(int version) {
    states.clear();
    found = null;
    applies = wide() && version >= since;
  }

  /** A node's values were reduced where they were computed. */
  void see(GraphNode node, AgentNumbers known, int layer, int position) {
    if (!applies || found != null) {
      return;
    }
    stats.reset();
    if (!known.reduce(stats)) {
      return;
    }
    watched++;
    TensorState state = state(node);
    states.put(node, state);
    if (state.bad()) {
      found = cause(node, layer, position);
    }
  }

  private TensorState state(GraphNode node) {
    if (!stats.bad()) {
      return stats.zero() == stats.count() ? TensorState.ZERO : TensorState.FINITE;
    }
    boolean mask =
        stats.nan() == 0
            && (node.name().contains("mask")
                || node.sources().stream().anyMatch(s -> input(s) == TensorState.MASKED));
    return mask ? TensorState.MASKED : stats.nan() > 0 ? TensorState.NAN : TensorState.INF;
  }

  private TensorState input(GraphNode source) {
    GraphNode n = source;
    while (!states.containsKey(n) && !n.isLeaf() && NO_WORK.contains(n.op())) {
      if (n.sources().isEmpty()) {
        break;
      }
      n = n.sources().getFirst();
    }
    return states.getOrDefault(
        n, n.root().name().contains("mask") ? TensorState.MASKED : TensorState.UNKNOWN);
  }

  private RootCause cause(GraphNode node, int layer, int position) {
    List<RootCause.Input> inputs =
        node.sources().stream().map(s -> new RootCause.Input(s.name(), input(s))).toList();
    boolean cached = node.sources().stream().anyMatch(GraphNode::isMemory);
    String message =
        "%s (%s): the first bad node of a later pass; %s"
            .formatted(
                node.name(),
                node.operation().name(),
                cached
                    ? "it reads a cache, which may hold bad values of an earlier pass"
                    : "none of its inputs that could be watched is bad");
    return new RootCause(
        node.name(),
        node.operation().name(),
        layer < 0 ? null : layer,
        position < 0 ? null : position,
        Cause.UNKNOWN,
        null,
        null,
        null,
        null,
        null,
        inputs,
        message,
        List.of());
  }

  /**
   * A pass has ended.
   *
   * @param worst its worst anomaly, null when there was none
   * @param file the model, null where it is not known
   * @return whether from now on other nodes are to be watched than before
   */
  boolean end(@Nullable Anomaly worst, @Nullable GgufFile file) {
    boolean was = wide();
    RootCause cause = found;
    if (was && cause != null) {
      attach(withWeight(cause, file));
      left = 0;
      over = true;
    } else if (was) {
      left -= applies ? 1 : 0;
      over |= left == 0;
    } else if (!over && worst != null && numeric(worst)) {
      left = PASSES;
    }
    return was != wide();
  }

  /** Whether an anomaly is of values that are not finite, or of what they lead to. */
  static boolean numeric(Anomaly anomaly) {
    return anomaly.severity() == Severity.CRITICAL && NUMERIC.contains(anomaly.kind());
  }

  private void attach(RootCause cause) {
    for (Anomaly anomaly : tracer.anomalies()) {
      if (numeric(anomaly) && anomaly.rootCause() == null) {
        tracer.attachRootCause(anomaly.id(), cause);
      }
    }
  }

  /** Blames a weight of the node that is bad in the file, where there is one. */
  private RootCause withWeight(RootCause cause, @Nullable GgufFile file) {
    List<String> notes =
        List.of(
            "seen in a later pass with every node watched (%d), without a replay: a run of the same"
                    .formatted(watched)
                + " file and prompt replays the pass itself");
    BadWeight bad = file == null ? null : badWeight(cause, file);
    List<RootCause.Input> inputs = new ArrayList<>(cause.inputs());
    if (bad != null) {
      TensorState state = bad.stats().state();
      inputs.replaceAll(
          i -> i.name().equals(bad.tensor().name()) ? new RootCause.Input(i.name(), state) : i);
    }
    return new RootCause(
        cause.node(),
        cause.op(),
        cause.layer(),
        cause.position(),
        bad == null ? cause.cause() : Cause.BAD_WEIGHT,
        bad == null ? null : bad.tensor().name(),
        bad == null ? null : bad.index(),
        bad == null ? null : bad.stats().bad(),
        bad == null ? null : bad.block(),
        bad == null ? null : bad.part(),
        inputs,
        bad == null ? cause.message() : cause.node() + ": " + bad.message(),
        notes);
  }

  private @Nullable BadWeight badWeight(RootCause cause, GgufFile file) {
    try (var weights = new Weights(file, runtime)) {
      for (RootCause.Input input : cause.inputs()) {
        var tensor = weights.tensor(input.name());
        if (tensor.isPresent()) {
          WeightStats all = weights.stats(tensor.get());
          if (all.bad() > 0) {
            return BadWeight.of(weights, tensor.get(), all);
          }
        }
      }
      return null;
    }
  }
}
