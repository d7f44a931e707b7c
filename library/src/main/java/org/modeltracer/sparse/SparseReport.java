package org.modeltracer.sparse;

/**
 * What was found of a model's sparse attention.
 *
 * @param prompts texts that ran
 * @param tokens their tokens together
 * @param indexer what its indexers are worth
 */
public record SparseReport(int prompts, int tokens, IndexerReport indexer) {}
