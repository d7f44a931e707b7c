package org.modeltracer.sparse.patterns;

import org.jspecify.annotations.Nullable;

/**
 * How much of a head's attention has which shape.
 *
 * <p>Scores are excesses over chance, {@code (m − b) / (1 − b)}: of the mass m over the share b
 * that even attention to all keys in sight would put there; 0 when it lies below, 1 when nothing
 * lies elsewhere. But for {@code sink} they are of what is not on the first four positions.
 *
 * @param sink of the mass on the first four positions
 * @param diagonal of the mean weight at {@code offset}, over the rows that see so far
 * @param offset the distance that at least half of the mass can see and that has the largest mean
 *     weight; below 0 for a key after the query
 * @param strided of the mass at distances that are alike modulo {@code period}; 0 where one of them
 *     has more than half of it
 * @param period from 2 to 256, with four such distances at least in sight; 0 where none is
 * @param block of the mass in the query's own block of a grid of {@code blockSize} over what the
 *     head's own distances explain; null where no size has five whole blocks of causal rows
 * @param blockSize a power of two, 0 where none is
 * @param blockChance chance of as much for a head that knows distances only (Student's t over
 *     blocks)
 * @param local of the mass at distances below sixteen
 * @param spread mean of {@code e^H / k}: number of keys of even attention with the same entropy,
 *     over that of keys in sight; 1 where all are alike
 * @param distance mean distance over that of even attention
 */
public record PatternScores(
    double sink,
    double diagonal,
    int offset,
    double strided,
    int period,
    @Nullable Double block,
    int blockSize,
    @Nullable Double blockChance,
    double local,
    double spread,
    double distance) {
  private static final double MOST = 0.5;

  /** Chance above which blocks are not believed. */
  private static final double CHANCE = 0.001;

  /** The kind that these scores give. */
  PatternKind kind() {
    if (sink >= MOST) return PatternKind.SINK;
    if (diagonal >= MOST) return PatternKind.DIAGONAL;
    if (strided >= MOST) return PatternKind.STRIDED;
    if (block != null && blockChance != null && block >= MOST && blockChance < CHANCE) {
      return PatternKind.BLOCK;
    }
    if (local >= MOST) return PatternKind.LOCAL;
    return spread >= MOST ? PatternKind.GLOBAL : PatternKind.HETEROGENEOUS;
  }
}
