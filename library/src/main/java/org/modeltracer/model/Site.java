package org.modeltracer.model;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Stream;

/**
 * A kind of place in a transformer, whatever the architecture calls it.
 *
 * <p>Shapes are written slowest dimension first; {@code width} is the residual stream's width. A
 * model may lack any of these places: a place that does not exist is absent, never zero.
 */
public enum Site {
  /** Token embeddings, the residual stream before the first layer: {@code [token, width]}. */
  EMBEDDING,
  /** Normalized input of the attention (or recurrent) block: {@code [token, width]}. */
  ATTN_NORM,
  /** Queries as they meet the keys, after rotary embedding: {@code [token, head, head width]}. */
  QUERY,
  /** Keys of the new tokens, after rotary embedding: {@code [token, kv head, head width]}. */
  KEY,
  /** Values of the new tokens: {@code [token, kv head, head width]}. */
  VALUE,
  /** Write of the new keys into the KV cache. */
  KEY_CACHE,
  /** Write of the new values into the KV cache. */
  VALUE_CACHE,
  /** Raw attention scores before mask and softmax: {@code [head, query, key]}. */
  SCORES,
  /** Attention weights after softmax: {@code [head, query, key]}. */
  ATTENTION,
  /** Values mixed by attention, all heads side by side: {@code [token, head, value width]}. */
  CONTEXT,
  /** Output of the attention block, before it joins the residual stream: {@code [token, width]}. */
  ATTN_OUT,
  /** Residual stream between attention and feed-forward: {@code [token, width]}. */
  RESIDUAL_MID,
  /** Weights of a decoder's attention to the encoder: {@code [head, query, encoder position]}. */
  CROSS_ATTENTION,
  /** Output of that attention, before it joins the residual stream: {@code [token, width]}. */
  CROSS_OUT,
  /** Normalized input of the feed-forward block: {@code [token, width]}. */
  FFN_NORM,
  /** Gate branch of the feed-forward block: {@code [token, ffn width]}. */
  FFN_GATE,
  /** Up branch of the feed-forward block: {@code [token, ffn width]}. */
  FFN_UP,
  /** Activated hidden layer of the feed-forward block: {@code [token, ffn width]}. */
  FFN_HIDDEN,
  /** Router scores of a mixture of experts: {@code [token, expert]}. */
  ROUTER,
  /** Experts selected for each token: {@code [token, choice]} of expert indices. */
  EXPERTS,
  /** Output of the feed-forward block (dense or experts): {@code [token, width]}. */
  FFN_OUT,
  /** Residual stream after the layer: {@code [token, width]}. */
  LAYER_OUT,
  /** Residual stream after the final norm: {@code [output, width]}. */
  FINAL_NORM,
  /** Scores of the next token, before softmax: {@code [output, vocabulary]}. */
  LOGITS,
  /** Any other node of the graph; watched only while a root cause is sought. */
  OTHER;

  private final String id = name().toLowerCase(Locale.ROOT);

  /** Kinds of places that lie within a layer, {@link #OTHER} left out. */
  public static Stream<Site> inLayers() {
    return Arrays.stream(values())
        .filter(site -> site.ordinal() > EMBEDDING.ordinal())
        .filter(site -> site.ordinal() <= LAYER_OUT.ordinal());
  }

  /** Name in JSON and on the command line, such as {@code ffn_out}. */
  public String id() {
    return id;
  }
}
