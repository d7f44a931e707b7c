package org.modeltracer.attention.report;

import org.modeltracer.model.HeadId;

/**
 * What the heads of a model cost, from its real tensors.
 *
 * <p>The unit that can be removed is a KV group: the query heads that share one key and value head.
 */
public interface HeadCosts {
  /** Number of KV groups of a layer. */
  int groups(int layer);

  /** KV group of a query head within its layer, from 0. */
  int group(HeadId head);

  /** Bytes of a group's slices of the Q, K, V and O tensors. */
  long bytes(int layer, int group);

  /** Floating-point operations per token of a group's Q, K, V and O products. */
  double flops(int layer, int group);
}
