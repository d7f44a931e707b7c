package org.modeltracer.sparse.patterns;

import java.util.List;
import org.jspecify.annotations.Nullable;
import org.modeltracer.model.HeadId;

/**
 * One head.
 *
 * @param rows rows that see at least 32 keys, which alone count
 * @param kind what its attention is shaped like; null where fewer than 32 rows count
 * @param scores how much of it has which shape
 * @param efficiency how few keys hold 0.90, 0.95 and 0.99 of it
 */
public record HeadPattern(
    int layer,
    int head,
    long rows,
    @Nullable PatternKind kind,
    PatternScores scores,
    List<Efficiency> efficiency) {
  HeadId id() {
    return new HeadId(layer, head);
  }
}
