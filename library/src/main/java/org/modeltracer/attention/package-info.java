/**
 * What attention shows while it streams: rows reduced as they are made, never kept but for capped
 * samples.
 *
 * <p>{@link org.modeltracer.attention.AttentionCollector} takes rows; {@link
 * org.modeltracer.attention.CollectedAttention} is what it has at any time. Nothing here labels,
 * compares or formats: that is {@code org.modeltracer.attention.report}, which this package does
 * not know.
 */
@NullMarked
package org.modeltracer.attention;

import org.jspecify.annotations.NullMarked;
