package org.modeltracer.sparse;

/**
 * A layer whose attention sees selected keys only.
 *
 * @param layer layer index
 * @param heads index heads whose scores are known; 0 where the graph does not show them
 * @param ofKeys whether what is selected are keys of single tokens, not blocks or compressed ones
 */
public record SelectedLayer(int layer, int heads, boolean ofKeys) {}
