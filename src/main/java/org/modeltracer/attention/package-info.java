/**
 * Analyses over streamed attention rows: statistics, specialization, patterns, clusters,
 * redundancy, rollout, flow.
 *
 * <p>{@link org.modeltracer.attention.AttentionAnalyzer} takes rows as they are made and reduces
 * each at once; its result is a tree of records without any JSON annotation. They are written with
 * a mapper that names properties in snake case and enums in lower case.
 */
@NullMarked
package org.modeltracer.attention;

import org.jspecify.annotations.NullMarked;
