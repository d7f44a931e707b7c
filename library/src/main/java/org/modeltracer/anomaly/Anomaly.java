package org.modeltracer.anomaly;

import java.util.List;
import org.jspecify.annotations.Nullable;
import org.modeltracer.model.Site;

/**
 * Something that went wrong, where, and how. Its components are its JSON fields, in snake case.
 *
 * <p>What does not apply is null: a KV cache that is full has no head, a tensor whose values are
 * finite has no first bad index. Counts and moments are those of the first occurrence.
 *
 * @param id number in the run, from 1; 0 while unreported or when the run's list is full
 * @param severity how bad it is
 * @param kind what it is
 * @param site kind of place in the transformer
 * @param layer layer index, -1 for the embedding, null for what belongs to no layer
 * @param head query head
 * @param expert expert of a mixture
 * @param tensor name of the tensor in llama.cpp's graph
 * @param op operation that made the tensor
 * @param forward index of the forward pass, from 0
 * @param position token position at which it shows first
 * @param numel number of values looked at
 * @param nan number of NaN values
 * @param inf number of infinite values
 * @param zero number of values that are exactly zero
 * @param firstIndex index of the first bad value, four numbers, fastest dimension first
 * @param min smallest finite value
 * @param max largest finite value
 * @param mean mean of the finite values
 * @param std standard deviation of the finite values
 * @param l2 Euclidean norm of the finite values
 * @param repeats how often it occurred again at the same place
 * @param message one sentence for people
 * @param rootCause where it comes from, when that was looked for and found
 */
public record Anomaly(
    int id,
    Severity severity,
    AnomalyKind kind,
    @Nullable Site site,
    @Nullable Integer layer,
    @Nullable Integer head,
    @Nullable Integer expert,
    @Nullable String tensor,
    @Nullable String op,
    @Nullable Integer forward,
    @Nullable Integer position,
    @Nullable Long numel,
    @Nullable Long nan,
    @Nullable Long inf,
    @Nullable Long zero,
    @Nullable List<Long> firstIndex,
    @Nullable Double min,
    @Nullable Double max,
    @Nullable Double mean,
    @Nullable Double std,
    @Nullable Double l2,
    long repeats,
    String message,
    @Nullable RootCause rootCause) {

  /** Starts an anomaly of the kind's usual severity. */
  public static AnomalyBuilder of(AnomalyKind kind, String message) {
    return new AnomalyBuilder(kind, kind.severity(), message);
  }

  /** Starts an anomaly from what a rule found. */
  public static AnomalyBuilder of(Finding finding) {
    return new AnomalyBuilder(finding.kind(), finding.severity(), finding.message());
  }

  /** How often it occurred. */
  public long times() {
    return 1 + repeats;
  }

  /** This anomaly under another number, count of repeats and root cause. */
  public Anomaly with(int newId, long newRepeats, @Nullable RootCause newRootCause) {
    return new Anomaly(
        newId,
        severity,
        kind,
        site,
        layer,
        head,
        expert,
        tensor,
        op,
        forward,
        position,
        numel,
        nan,
        inf,
        zero,
        firstIndex,
        min,
        max,
        mean,
        std,
        l2,
        newRepeats,
        message,
        newRootCause);
  }

  /** One line: severity, kind, sentence, and the root cause if known. */
  @Override
  public String toString() {
    String line = severity.id() + " " + kind.id() + ": " + message;
    return rootCause == null ? line : line + "; root cause: " + rootCause.message();
  }
}
