/**
 * Analyses over streamed attention rows: statistics, specialization, patterns, clusters,
 * redundancy, rollout, flow.
 *
 * <p>{@link org.modeltracer.attention.AttentionAnalyzer} takes rows as they are made and reduces
 * each at once; its result is a tree of plain records, written by {@link
 * org.modeltracer.trace.Json}'s mapper in snake case.
 */
@NullMarked
package org.modeltracer.attention;

import org.jspecify.annotations.NullMarked;
