// Places of a transformer in the order in which the graph computes them.
export const SITES = [
  "embedding", "attn_norm", "query", "key", "value", "key_cache", "value_cache", "scores", "attention", "context",
  "attn_out", "residual_mid", "cross_attention", "cross_out", "ffn_norm", "ffn_gate", "ffn_up", "ffn_hidden",
  "router", "experts", "ffn_out", "layer_out", "final_norm", "logits", "other"];

/**
 * A number that grows along the graph; what belongs to no layer comes last.
 *
 * @param {number | null | undefined} layer
 * @param {string | null | undefined} site
 */
export function order(layer, site) {
  return (layer ?? 1e6) * SITES.length + SITES.indexOf(site ?? "other");
}

/**
 * @param {number | null | undefined} layer
 * @param {string | null | undefined} site
 */
export function siteName(layer, site) {
  if (!site) return "–";
  return site + (layer === null || layer === undefined || layer < 0 ? "" : "-" + layer);
}
