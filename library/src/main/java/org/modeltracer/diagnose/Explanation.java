package org.modeltracer.diagnose;

import java.util.List;
import java.util.Optional;
import java.util.function.IntPredicate;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.Cause;
import org.modeltracer.anomaly.RootCause;
import org.modeltracer.gguf.TensorInfo;
import org.modeltracer.graph.GraphNode;
import org.modeltracer.llama.Op;
import org.modeltracer.model.TensorState;
import org.modeltracer.weights.BadWeight;
import org.modeltracer.weights.WeightFile;
import org.modeltracer.weights.WeightPeers;
import org.modeltracer.weights.WeightStats;
import org.modeltracer.weights.Weights;

/**
 * Why the first bad node of a pass is bad: the classes of causes, tried in the order of how certain
 * they are.
 */
final class Explanation {
  private static final int PEERS = 8;

  /** Whether the pass is finite on another computer of it; empty when that is unknown. */
  interface SecondOpinion {
    Optional<Boolean> finite();
  }

  /** What a class of causes has to say. */
  private record Verdict(
      Cause cause, @Nullable BadWeight weight, @Nullable String name, String why) {
    Verdict(Cause cause, String why) {
      this(cause, null, null, why);
    }
  }

  private final Weights weights;
  private final WeightPeers peers;
  private final WatchedGraph graph;
  private final SecondOpinion cpu;

  Explanation(Weights weights, WeightPeers peers, WatchedGraph graph, SecondOpinion cpu) {
    this.weights = weights;
    this.peers = peers;
    this.graph = graph;
    this.cpu = cpu;
  }

  /**
   * The root cause behind a bad node.
   *
   * @param earlier whether the pass of that index is known to have been bad
   */
  RootCause of(BadNode bad, IntPredicate earlier, List<String> notes) {
    Verdict verdict = verdict(bad, earlier);
    GraphNode node = bad.node();
    BadWeight weight = verdict.weight();
    return new RootCause(
        node.name(),
        node.opName(),
        graph.layerOrNull(node),
        bad.position(),
        verdict.cause(),
        weight != null ? weight.tensor().name() : verdict.name(),
        weight != null ? weight.index() : null,
        weight != null ? (Long) weight.stats().bad() : null,
        weight != null ? weight.block() : null,
        weight != null ? weight.part() : null,
        bad.inputs().stream().map(this::input).toList(),
        "%s%s: %s"
            .formatted(
                described(node),
                bad.position() == null ? "" : " at position " + bad.position(),
                verdict.why()),
        notes);
  }

  private static String described(GraphNode node) {
    return "%s (%s)".formatted(node.name(), node.opName());
  }

  private RootCause.Input input(BadNode.Input input) {
    String name = input.source().name();
    TensorState known = input.state();
    return new RootCause.Input(name, known != null ? known : ofWeight(input.source()));
  }

  private TensorState ofWeight(GraphNode weight) {
    return tensor(weight).map(t -> weights.stats(t).state()).orElse(TensorState.UNKNOWN);
  }

  private Optional<TensorInfo> tensor(GraphNode weight) {
    return weights.tensor(weight.root().name());
  }

  private Verdict verdict(BadNode bad, IntPredicate earlier) {
    Verdict weight = badWeight(bad);
    if (weight != null) {
      return weight;
    }
    Verdict factors = zeroFactors(bad);
    if (factors != null) {
      return factors;
    }
    Verdict before = fromBefore(bad, earlier);
    if (before != null) {
      return before;
    }
    if (bad.maskedRow()) {
      return new Verdict(Cause.MASKED_ROW, "the attention mask lets this token see no key at all");
    }
    String half = Overflow.toHalf(bad);
    if (half != null) {
      return blamed(Cause.F16_OVERFLOW, bad, half);
    }
    String block = Overflow.ofBlock(bad);
    if (block != null) {
      return blamed(Cause.BLOCK_SUM_OVERFLOW, bad, block);
    }
    boolean large = Overflow.ofFloat(bad);
    if (large) {
      Verdict absurd = blamed(Cause.BAD_WEIGHT, bad, "finite inputs too large even for F32");
      if (absurd.name() != null) {
        return absurd;
      }
    }
    if (cpu.finite().orElse(false)) {
      String sums = Overflow.inFlash(bad);
      if (sums != null) {
        return blamed(
            Cause.F16_OVERFLOW, bad, sums + "; without flash attention the pass is finite");
      }
      return new Verdict(
          Cause.BACKEND_KERNEL,
          "its inputs are finite, and so is the whole pass on the CPU with plain kernels, one"
              + " thread and no flash attention");
    }
    return new Verdict(
        Cause.UNKNOWN,
        large
            ? "its inputs are finite but too large even for F32; no weight stands out"
            : known(bad));
  }

  /** What is known of the inputs of a node that nothing explains, and no more than that. */
  private String known(BadNode bad) {
    List<RootCause.Input> inputs = bad.inputs().stream().map(this::input).toList();
    String zero = named(inputs, TensorState.ZERO);
    String unread = named(inputs, TensorState.UNKNOWN);
    return (unread.isEmpty()
            ? "its inputs are finite, and so are its weights"
            : "its other inputs are finite, but nobody could read " + unread)
        + (zero.isEmpty() ? "" : "; all values of " + zero + " are 0");
  }

  private static String named(List<RootCause.Input> inputs, TensorState state) {
    return inputs.stream()
        .filter(input -> input.state() == state)
        .map(RootCause.Input::name)
        .collect(Collectors.joining(", "));
  }

  /** Angles are divided by the factors of a rotation: one that is zero makes them infinite. */
  private @Nullable Verdict zeroFactors(BadNode bad) {
    GraphNode factors = bad.node().is(Op.ROPE) ? bad.node().source(2) : null;
    TensorInfo tensor = factors == null ? null : tensor(factors).orElse(null);
    long zeros = tensor == null ? 0 : weights.stats(tensor).zero();
    return tensor == null || zeros == 0
        ? null
        : new Verdict(
            Cause.BAD_WEIGHT,
            null,
            tensor.name(),
            "%d of %d values of %s are 0, by which the rotation divides"
                .formatted(zeros, tensor.elements(), tensor.place()));
  }

  private @Nullable Verdict badWeight(BadNode bad) {
    for (BadNode.Input input : bad.inputs()) {
      if (input.state() != null) {
        continue;
      }
      TensorInfo tensor = tensor(input.source()).orElse(null);
      if (tensor == null) {
        continue;
      }
      BadWeight weight = guilty(bad, tensor);
      if (weight != null && bad.node().is(Op.MUL_MAT_ID)) {
        long expert = weight.index().getLast();
        return new Verdict(
            Cause.EXPERT,
            weight,
            null,
            "expert %d of %d, chosen for %d of %d tokens, is poisoned: %s"
                .formatted(
                    expert,
                    tensor.dimension(2),
                    bad.chosen(expert),
                    bad.tokens(),
                    weight.message()));
      }
      if (weight != null) {
        return new Verdict(Cause.BAD_WEIGHT, weight, null, weight.message());
      }
    }
    return null;
  }

  /** The bad value of a weight that the first bad value was computed from, if there is one. */
  private @Nullable BadWeight guilty(BadNode bad, TensorInfo tensor) {
    WeightStats all = weights.stats(tensor);
    if (all.bad() == 0) {
      return null;
    }
    long rows = WeightFile.rows(tensor);
    long row =
        switch (bad.node().op()) {
          case GET_ROWS -> bad.id();
          case MUL_MAT -> bad.index().getFirst();
          case MUL_MAT_ID -> bad.id() * tensor.dimension(1) + bad.index().getFirst();
          default -> -1;
        };
    if (row < 0 || row >= rows) {
      return BadWeight.of(weights, tensor, all);
    }
    WeightStats used = weights.rows(tensor, row, row + 1);
    // A table has rows that were not looked up; they are not to blame.
    return used.bad() > 0 ? BadWeight.of(weights, tensor, used).with(all) : null;
  }

  private @Nullable Verdict fromBefore(BadNode bad, IntPredicate earlier) {
    Verdict unused = null;
    for (BadNode.Input input : bad.inputs()) {
      BadNode.BadCell cell = input.cell();
      Integer written = cell == null ? null : cell.forward();
      if (cell != null && written == null) {
        unused =
            new Verdict(
                Cause.POISONED_KV,
                "cell %d of %s, which no token uses any more, still holds a bad value, and 0 times"
                        .formatted(cell.cell(), cell.cache())
                    + " NaN is NaN");
      } else if (cell != null && written != null) {
        boolean known = earlier.test(written);
        return new Verdict(
            known ? Cause.PROPAGATED : Cause.POISONED_KV,
            "cell %d of %s holds a bad value: position %d, written in forward pass %d%s"
                .formatted(
                    cell.cell(),
                    cell.cache(),
                    cell.position(),
                    cell.forward(),
                    known ? ", which was bad itself" : ", which was not bad when it wrote it"));
      } else if (input.bad()) {
        return new Verdict(
            Cause.PROPAGATED,
            "its input %s was bad (%s) when the pass began"
                .formatted(input.source().name(), input.state()));
      }
    }
    return unused;
  }

  /** A cause behind which there may be a weight of absurd scale, somewhere before the node. */
  private Verdict blamed(Cause cause, BadNode bad, String why) {
    for (GraphNode node : graph.upstream(bad.node())) {
      if (!node.isWeight()) {
        continue;
      }
      TensorInfo tensor = tensor(node).orElse(null);
      String absurd = tensor == null ? null : peers.absurd(tensor, PEERS);
      if (tensor != null && absurd != null) {
        return new Verdict(
            cause, null, tensor.name(), "%s; %s has %s".formatted(why, tensor.place(), absurd));
      }
    }
    return new Verdict(cause, null, null, why);
  }

  /** The cause of finite values that are too large, from the first node that has them on. */
  RootCause ofLarge(BadNode large, List<String> notes) {
    GraphNode node = large.node();
    String size = "max |x| %.4g".formatted(graph.absMax(node));
    Verdict verdict = blamed(Cause.BAD_WEIGHT, large, size);
    if (verdict.name() == null) {
      verdict = new Verdict(Cause.UNKNOWN, size + "; no weight stands out");
    }
    return new RootCause(
        node.name(),
        node.opName(),
        graph.layerOrNull(node),
        large.position(),
        verdict.cause(),
        verdict.name(),
        null,
        null,
        null,
        null,
        large.inputs().stream().map(this::input).toList(),
        described(node) + ": " + verdict.why(),
        notes);
  }
}
