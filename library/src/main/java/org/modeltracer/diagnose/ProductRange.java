package org.modeltracer.diagnose;

import java.util.Arrays;
import java.util.Comparator;
import java.util.Optional;
import org.modeltracer.anomaly.ActivationRules;
import org.modeltracer.gguf.GgmlType;

/**
 * How large the numbers of one matrix product became.
 *
 * @param weight name of the weight
 * @param type type of the weight
 * @param experts whether each token is multiplied with the slices of its experts
 * @param exact whether the graph asks for sums in F32
 * @param activation largest magnitude of what is multiplied with the weight
 * @param blockSum largest magnitude of the sum of 32 neighbours of these
 * @param halfBlockSum largest magnitude of the sum of 16 neighbours
 * @param result largest magnitude of what comes out
 * @param partial largest magnitude on the way there, of the running sums in the order of a row, for
 *     a sample of the rows; 0 for experts and for what is no matrix of rows in the file
 */
public record ProductRange(
    String weight,
    GgmlType type,
    boolean experts,
    boolean exact,
    double activation,
    double blockSum,
    double halfBlockSum,
    double result,
    double partial) {

  /** What a backend keeps in F16 of this product with the fewest bits left; empty for nothing. */
  public Optional<HalfValue> tightest(Gpu gpu) {
    return Arrays.stream(HalfValue.values())
        .filter(value -> value.keeps(this).contains(gpu))
        .min(Comparator.comparingDouble(this::bits));
  }

  /** Bits left before a number overflows in F16, log2(65504 / largest magnitude). */
  public double bits(HalfValue value) {
    return ActivationRules.headroom(value.largest(this));
  }
}
