package org.modeltracer.quant;

import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import org.modeltracer.probe.NodeValues;

/**
 * Runs two models over the same text, node beside node.
 *
 * <p>The reference leads: at each of its nodes the other model is let go until it has reached the
 * same node. One node is in memory at a time; where the two compute in another order, the few that
 * came early are kept until their twins come.
 */
final class Lockstep {
  /** Receives both models' values of a node. */
  interface Comparator {
    /** The reference has computed a node, whose inputs can be read during the call. */
    default void computed(NodePair pair, NodeValues values) {}

    /**
     * Compares; both are dense float32 {@code [row, width]}.
     *
     * @param firstPosition token position of the first row
     */
    void compare(
        NodePair pair,
        int firstPosition,
        int rows,
        int width,
        MemorySegment reference,
        MemorySegment other);
  }

  /** One node of one graph: the same node comes again with the next tokens. */
  private record Moment(int pair, int firstPosition) {}

  private final OpenModel reference;
  private final Partner partner;
  private final List<NodePair> pairs;
  private final Predicate<NodePair> steers;
  private final Comparator comparator;
  private final Map<Integer, NodePair> byReference = new HashMap<>();
  private final Map<Integer, NodePair> byOther = new HashMap<>();
  private final Map<Moment, Frame> early = new HashMap<>();
  private final Map<Moment, Frame> late = new HashMap<>();
  private @Nullable Moment blocked;
  private boolean over;
  private int begun;
  private int mostKept;
  private boolean steered;

  /**
   * Prepares a run.
   *
   * @param steers at which nodes the other model gets the reference's values to go on with
   */
  Lockstep(
      OpenModel reference,
      Partner partner,
      List<NodePair> pairs,
      Predicate<NodePair> steers,
      Comparator comparator) {
    this.reference = reference;
    this.partner = partner;
    this.pairs = pairs;
    this.steers = steers;
    this.comparator = comparator;
    for (NodePair pair : pairs) {
      byReference.put(pair.reference().index(), pair);
      byOther.put(pair.other().index(), pair);
    }
  }

  /** Runs a text from its beginning. */
  void run(int[] tokens) {
    Set<String> own = new HashSet<>();
    Set<String> others = new HashSet<>();
    Set<String> steered = new HashSet<>();
    for (NodePair pair : pairs) {
      own.add(pair.reference().key());
      others.add(pair.other().key());
      if (steers.test(pair)) {
        steered.add(pair.other().key());
      }
    }
    early.clear();
    late.clear();
    blocked = null;
    over = false;
    partner.begin(tokens, others, steered);
    try {
      reference.read(tokens, own, this::show);
      finish();
    } finally {
      partner.abandon();
    }
  }

  private void show(NodeValues values) {
    NodePair pair = byReference.get(values.node().index());
    if (pair == null) {
      return;
    }
    comparator.computed(pair, values);
    forgetBefore(values.firstPosition());
    var moment = new Moment(pair.index(), values.firstPosition());
    var own =
        new Frame(
            values.node().index(),
            values.firstPosition(),
            values.rows(),
            values.width(),
            false,
            values.values().asSlice(0, 4L * values.rows() * values.width()));
    Frame waiting = early.remove(moment);
    if (waiting != null) {
      meet(pair, own, waiting);
      if (moment.equals(blocked)) {
        blocked = null;
        steer(own);
      }
      return;
    }
    if (!advanceTo(moment, own)) {
      late.put(moment, own.kept());
      count();
    }
  }

  /** What has not met its twin when the next tokens begin never will. */
  private void forgetBefore(int position) {
    if (position != begun) {
      begun = position;
      late.keySet().removeIf(m -> m.firstPosition() < position);
      early.keySet().removeIf(m -> m.firstPosition() < position && !m.equals(blocked));
    }
  }

  /** Lets the other model go until it shows that node; false when it cannot or will not. */
  private boolean advanceTo(Moment wanted, Frame own) {
    while (blocked == null && !over) {
      Frame frame = partner.next();
      if (frame == null) {
        over = true;
        break;
      }
      NodePair pair = byOther.get(frame.node());
      if (pair == null) {
        continue;
      }
      var moment = new Moment(pair.index(), frame.firstPosition());
      if (moment.equals(wanted)) {
        meet(pair, own, frame);
        if (frame.waits()) {
          steer(own);
        }
        return true;
      }
      arrive(pair, moment, frame);
      if (frame.firstPosition() > wanted.firstPosition()) {
        break;
      }
    }
    return false;
  }

  private void arrive(NodePair pair, Moment moment, Frame frame) {
    Frame own = late.remove(moment);
    if (own != null) {
      meet(pair, own, frame);
      if (frame.waits()) {
        steer(own);
      }
      return;
    }
    early.put(moment, frame.kept());
    count();
    if (frame.waits()) {
      blocked = moment;
    }
  }

  private void meet(NodePair pair, Frame own, Frame frame) {
    if (own.rows() == frame.rows() && own.width() == frame.width()) {
      comparator.compare(
          pair, own.firstPosition(), own.rows(), own.width(), own.values(), frame.values());
    }
  }

  /** Lets the other model go on with the reference's values. */
  private void steer(Frame own) {
    partner.answer(own.values());
    steered = true;
  }

  /** The reference is through: the other model may finish. */
  private void finish() {
    if (blocked != null) {
      blocked = null;
      partner.answer(null);
    }
    while (!over) {
      Frame frame = partner.next();
      NodePair pair = frame == null ? null : byOther.get(frame.node());
      over = frame == null;
      Frame own =
          pair == null || frame == null
              ? null
              : late.remove(new Moment(pair.index(), frame.firstPosition()));
      if (pair != null && frame != null && own != null) {
        meet(pair, own, frame);
        if (frame.waits()) {
          steer(own);
        }
      }
    }
  }

  private void count() {
    mostKept = Math.max(mostKept, early.size() + late.size());
  }

  /** Whether the other model has gone on with the reference's values anywhere. */
  boolean steered() {
    return steered;
  }

  /** Most nodes that had to be kept at a time. */
  int mostKept() {
    return mostKept;
  }
}
