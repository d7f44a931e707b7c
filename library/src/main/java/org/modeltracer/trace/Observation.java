package org.modeltracer.trace;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.modeltracer.model.Place;
import org.modeltracer.model.RunningStats;

/**
 * One tensor as seen by the hook, reduced to statistics.
 *
 * <p>An observation is a form that is filled in again and again, so that watching allocates
 * nothing: {@link #of} starts it, the values go into {@link #stats()} in the order of the shape,
 * and {@link ModelTracer#recordActivation} reads it.
 */
public final class Observation {
  private final RunningStats stats = new RunningStats();
  private final long[] shape = new long[4];
  private Place place = Place.NOWHERE;
  private String tensor = "";
  private String op = "";
  private int position = -1;
  private int head = -1;
  private int expert = -1;

  /**
   * Starts a tensor: empty statistics, unknown position, no head, no expert.
   *
   * @param place where in the transformer
   * @param tensor name in llama.cpp's graph
   * @param op operation that made it
   * @param shape four sizes, fastest dimension first; copied
   */
  public Observation of(Place place, String tensor, String op, long[] shape) {
    this.place = place;
    this.tensor = tensor;
    this.op = op;
    System.arraycopy(shape, 0, this.shape, 0, 4);
    stats.reset();
    position = head = expert = -1;
    return this;
  }

  /** Sets the token position of the first bad value's row, or of row 0 when none is bad. */
  public Observation position(int value) {
    position = value;
    return this;
  }

  /** Sets the query head, for a tensor that belongs to one alone. */
  public Observation head(int value) {
    head = value;
    return this;
  }

  /** Sets the expert, for a tensor that belongs to one alone. */
  public Observation expert(int value) {
    expert = value;
    return this;
  }

  /** Where in the transformer. */
  public Place place() {
    return place;
  }

  /** Name in llama.cpp's graph. */
  public String tensor() {
    return tensor;
  }

  /** Operation that made it. */
  public String op() {
    return op;
  }

  /** Statistics, to be filled in by whoever observes. */
  public RunningStats stats() {
    return stats;
  }

  /** Token position of the first bad value's row, or of row 0; -1 when unknown. */
  public int position() {
    return position;
  }

  /** Query head, -1 when the tensor is not one head's alone. */
  public int head() {
    return head;
  }

  /** Expert, -1 when the tensor is not one expert's alone. */
  public int expert() {
    return expert;
  }

  /** Index of the first bad value in the shape, fastest dimension first, or null. */
  public @Nullable List<Long> firstIndex() {
    long rest = stats.firstBad();
    if (rest < 0) {
      return null;
    }
    List<Long> index = new ArrayList<>(4);
    for (long size : shape) {
      index.add(size > 0 ? rest % size : rest);
      rest = size > 0 ? rest / size : 0;
    }
    return index;
  }

  /** What and where, as messages begin. */
  @Override
  public String toString() {
    var where = new StringBuilder(tensor.isEmpty() ? place.toString() : tensor);
    where.append(" (").append(op).append(')');
    append(where, "head", head);
    append(where, "expert", expert);
    append(where, "position", position);
    return where.toString();
  }

  private static void append(StringBuilder where, String what, int index) {
    if (index >= 0) {
      where.append(", ").append(what).append(' ').append(index);
    }
  }
}
