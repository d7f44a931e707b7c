package org.modeltracer.graph;

import java.util.List;
import org.modeltracer.model.Place;

/**
 * A place of the transformer and the node of llama.cpp's graph that it is.
 *
 * @param place where in the transformer
 * @param tensor name of the node
 * @param op operation that computes it
 * @param shape elements by dimension, fastest first, for a batch of two tokens
 * @param encoder whether it is in an encoder that reads prompts before a decoder writes; its layers
 *     then follow the decoder's, its embedding belongs to its first and its final norm to its last
 */
public record FoundSite(Place place, String tensor, String op, List<Long> shape, boolean encoder) {}
