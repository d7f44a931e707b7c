package org.modeltracer.lens;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a state after one layer says of the next token.
 *
 * <p>A state that is not finite says nothing: the list is empty and the numbers are null.
 *
 * @param layer layer index, -1 for the embedding
 * @param top most likely tokens, most likely first
 * @param rankOfFinal rank here of the token that is most likely in the end, 0 for the first
 * @param probabilityOfFinal its probability here, 0 to 1
 * @param entropy of the distribution here, in nats
 * @param klToFinal D(final ‖ here) in nats
 */
public record LayerReading(
    int layer,
    List<TokenScore> top,
    @Nullable Integer rankOfFinal,
    @Nullable Double probabilityOfFinal,
    @Nullable Double entropy,
    @Nullable Double klToFinal) {}
