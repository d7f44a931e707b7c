package org.modeltracer.attention;

/**
 * What one head of a layer without a causal mask did: means over its rows with two keys or more.
 *
 * @param rows rows behind the means
 * @param badRows rows left out because a weight was not finite
 * @param entropy −Σ a ln a in nats
 * @param self weight on the query's own position
 * @param previousToken weight on the position before; 0 where there is none
 * @param nextToken weight on the position after; 0 where there is none
 * @param firstToken weight on position 0, a sentence encoder's [CLS]
 * @param special mass on position 0 and on special tokens, [SEP] among them
 * @param structural mass on structural tokens, such as punctuation
 * @param distanceBack Σ a (i − j) over earlier keys j, in tokens
 * @param distanceAhead Σ a (j − i) over later keys j, in tokens
 * @param oneKey share of one key, 1 / k: its weight under uniform attention
 * @param specialKeys share of special tokens and position 0 among the keys
 * @param structuralKeys share of structural tokens among the keys
 */
public record TwoWayMeans(
    long rows,
    long badRows,
    double entropy,
    double self,
    double previousToken,
    double nextToken,
    double firstToken,
    double special,
    double structural,
    double distanceBack,
    double distanceAhead,
    double oneKey,
    double specialKeys,
    double structuralKeys) {}
