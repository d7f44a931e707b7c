package org.modeltracer.cache;

/**
 * One layer's cached keys, or its values, as they lie in memory for as long as the context lives.
 *
 * @param layer layer index, from 0
 * @param kind whether these are keys or values
 * @param name as llama.cpp names it, such as {@code cache_k_l3}
 * @param address of the {@code ggml_tensor}
 * @param bytes of all cells
 * @param transposed whether the values of a cell are not side by side, but cells are
 */
record CacheTensor(
    int layer,
    CacheStatistics.Kind kind,
    String name,
    long address,
    long bytes,
    boolean transposed) {}
