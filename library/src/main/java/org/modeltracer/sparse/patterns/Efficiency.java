package org.modeltracer.sparse.patterns;

import java.util.List;

/**
 * How few keys hold so much of a head's attention.
 *
 * @param mass share of the attention mass, 0 to 1
 * @param keys mean over queries of the fewest keys that hold it, picked for each query
 * @param share these keys over keys in sight, all rows together
 * @param fixed rules that hold it on average, each with its best parameter
 */
public record Efficiency(double mass, double keys, double share, List<FixedPattern> fixed) {}
