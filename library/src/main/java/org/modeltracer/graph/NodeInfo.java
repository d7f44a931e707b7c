package org.modeltracer.graph;

import org.jspecify.annotations.Nullable;
import org.modeltracer.model.Place;

/**
 * A node of a model's graph that has one row of numbers for each token.
 *
 * @param index place in the list of such nodes, which is in execution order
 * @param place where in the transformer; {@code OTHER} for what has no name there
 * @param tensor name in llama.cpp's graph
 * @param op operation that computes it
 * @param key operation, name, the weight it meets or goes to next, and occurrence: the same in
 *     every graph of the same shape
 * @param width numbers per row; 0 for attention, whose rows grow with the text
 * @param weight tensor of the model file that made it, null where none did directly
 */
public record NodeInfo(
    int index,
    Place place,
    String tensor,
    String op,
    String key,
    int width,
    @Nullable String weight) {}
