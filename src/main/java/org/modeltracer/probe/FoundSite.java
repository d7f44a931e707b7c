package org.modeltracer.probe;

import java.util.List;
import org.modeltracer.model.Place;

/**
 * A place of the transformer and the node of llama.cpp's graph that it is.
 *
 * @param place where in the transformer
 * @param tensor name of the node
 * @param op operation that computes it
 * @param shape elements by dimension, fastest first, for a batch of two tokens
 */
public record FoundSite(Place place, String tensor, String op, List<Long> shape) {}
