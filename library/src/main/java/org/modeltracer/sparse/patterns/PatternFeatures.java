package org.modeltracer.sparse.patterns;

/**
 * What heads are compared by, and its mean over heads.
 *
 * @param sink see {@link PatternScores}
 * @param diagonal likewise
 * @param strided likewise
 * @param block likewise, 0 where it is not known
 * @param local likewise
 * @param spread likewise
 * @param distance likewise
 * @param needed share of the keys in sight that hold 0.95 of the mass
 */
public record PatternFeatures(
    double sink,
    double diagonal,
    double strided,
    double block,
    double local,
    double spread,
    double distance,
    double needed) {

  static PatternFeatures of(HeadPattern head) {
    PatternScores scores = head.scores();
    Double block = scores.block();
    return new PatternFeatures(
        scores.sink(),
        scores.diagonal(),
        scores.strided(),
        block == null ? 0 : block,
        scores.local(),
        scores.spread(),
        scores.distance(),
        head.efficiency().get(PatternTrace.USUAL_MASS).share());
  }

  static PatternFeatures of(double[] v) {
    return new PatternFeatures(v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]);
  }

  /** In their order. */
  double[] values() {
    return new double[] {sink, diagonal, strided, block, local, spread, distance, needed};
  }
}
