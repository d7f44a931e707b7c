/**
 * What collected attention means: statistics, specialization, patterns, clusters, redundancy,
 * rollout, flow, insights.
 *
 * <p>Pure functions of a {@link org.modeltracer.attention.CollectedAttention}. The result, {@link
 * org.modeltracer.attention.report.AttentionAnalysis}, is a tree of plain records, written by
 * {@link org.modeltracer.trace.Json}'s mapper in snake case.
 */
@NullMarked
package org.modeltracer.attention.report;

import org.jspecify.annotations.NullMarked;
