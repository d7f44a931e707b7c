package org.modeltracer.sparse;

import java.util.List;
import org.jspecify.annotations.Nullable;
import org.modeltracer.sparse.patterns.PatternReport;

/**
 * What was found of a model's sparse attention.
 *
 * @param prompts texts that ran
 * @param tokens their tokens together
 * @param indexer what its indexers are worth; null where it has none
 * @param policies what selections would cost; null where its indexers select, or no layer attends
 *     to earlier tokens only
 * @param lengths the same prompts cut at several lengths, ascending; empty where that was not asked
 * @param plans the best pattern of every layer under each budget; none where {@code policies} is
 *     null
 * @param patterns what its attention is shaped like
 */
public record SparseReport(
    int prompts,
    int tokens,
    @Nullable IndexerReport indexer,
    @Nullable PolicyReport policies,
    List<LengthReport> lengths,
    List<BudgetPlan> plans,
    PatternReport patterns) {}
