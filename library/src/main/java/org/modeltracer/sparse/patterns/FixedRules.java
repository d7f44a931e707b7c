package org.modeltracer.sparse.patterns;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import org.modeltracer.model.HeadId;

/**
 * The fixed rules that are best for each head, and for heads that share keys.
 *
 * @param byHead by mass, the rules that keep it
 * @param byGroup by KV head, for each mass: mean number of keys of the best rule with which every
 *     query head keeps it
 */
record FixedRules(Map<HeadId, List<List<FixedPattern>>> byHead, Map<HeadId, double[]> byGroup) {

  /** Rules for all heads, group by group: the curves of one are all that is held. */
  static FixedRules of(Map<HeadId, TracedHead> heads, Map<HeadId, List<HeadId>> groups) {
    var byHead = new TreeMap<HeadId, List<List<FixedPattern>>>();
    var byGroup = new TreeMap<HeadId, double[]>();
    groups.forEach(
        (group, members) -> {
          var curves = new ArrayList<FixedCurves>();
          for (HeadId id : members) {
            FixedCurves own = FixedCurves.of(Objects.requireNonNull(heads.get(id)).sums());
            byHead.put(id, Arrays.stream(PatternTrace.MASSES).mapToObj(own::keeping).toList());
            curves.add(own);
          }
          FixedCurves shared = FixedCurves.shared(curves);
          byGroup.put(
              group,
              Arrays.stream(PatternTrace.MASSES)
                  .map(mass -> fewest(shared.keeping(mass), shared.visible()))
                  .toArray());
        });
    return new FixedRules(byHead, byGroup);
  }

  /** Rules of a head that keep the m-th mass. */
  List<FixedPattern> of(HeadId head, int m) {
    return Objects.requireNonNull(byHead.get(head)).get(m);
  }

  /** Keys that the best rule of a group keeps for the m-th mass. */
  double fewest(HeadId group, int m) {
    return Objects.requireNonNull(byGroup.get(group))[m];
  }

  /** Keys of the rule that keeps fewest; all in sight where none keeps enough. */
  static double fewest(List<FixedPattern> patterns, double visible) {
    return patterns.stream().mapToDouble(FixedPattern::keys).min().orElse(visible);
  }
}
