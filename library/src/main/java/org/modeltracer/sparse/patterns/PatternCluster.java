package org.modeltracer.sparse.patterns;

import java.util.List;
import org.jspecify.annotations.Nullable;
import org.modeltracer.model.HeadId;

/**
 * Heads whose attention is shaped alike.
 *
 * @param clusterId number from 0, by first member
 * @param heads its members
 * @param kind the members' most frequent kind, null when none has one
 * @param cohesion mean silhouette of its members in [−1, 1]
 * @param scores mean of each feature over the members, in the order of {@link PatternFeatures}
 * @param tokens what they attend to
 */
public record PatternCluster(
    int clusterId,
    List<HeadId> heads,
    @Nullable PatternKind kind,
    double cohesion,
    PatternFeatures scores,
    List<KindLift> tokens) {}
