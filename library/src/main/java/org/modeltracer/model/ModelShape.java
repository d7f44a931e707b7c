package org.modeltracer.model;

/**
 * The sizes of a model that analyses need.
 *
 * @param architecture name as in the file's {@code general.architecture}, such as {@code llama}
 * @param layers number of layers
 * @param heads query heads of the widest attention layer; 0 when the model has no attention
 * @param kvHeads key/value heads of the widest attention layer
 * @param width width of the residual stream
 * @param vocabulary number of tokens
 * @param trainedContext tokens of context the model was trained on
 */
public record ModelShape(
    String architecture,
    int layers,
    int heads,
    int kvHeads,
    int width,
    int vocabulary,
    int trainedContext) {}
