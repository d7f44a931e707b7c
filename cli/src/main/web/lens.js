// The logit lens: what every layer would say next, at every position.
import { choice, h, number, percent, tokenLabel, visible } from "./dom.js";
import { scale } from "./colour.js";
import { cells, key } from "./chart.js";
import { lensOf } from "./data.js";
import { DEFINITIONS } from "./definitions.js";

/** @import { Reading, Readings, View } from "./data.js" */

/**
 * @type {Record<string, (reading: Reading) => number | null | undefined>}
 */
const MEASURES = {
  rank: (reading) => reading.rank_of_final,
  "kl to final": (reading) => reading.kl_to_final,
  probability: (reading) => reading.top[0]?.probability ?? null,
  uncertainty: (reading) => reading.entropy,
};
const WINDOW = 48;

/** @type {View} */
export const lens = {
  id: "lens",
  title: "Logit lens",
  hint: "A column is a position of the text, a row a layer, the cell the token that the model would say if it ended there. From the framed layer on the answer stays what it is at the end.",
  has: (run) => lensOf(run).length > 0,
  controls(state, runs, redraw) {
    state.measure ??= "rank";
    state.from ??= 0;
    const most = Math.max(...runs.map((run) => lensOf(run).length));
    return [
      choice("Colour", Object.keys(MEASURES).map((name) => [name, name]), state.measure, (name) => { state.measure = name; redraw(); }),
      most <= WINDOW ? "" : h("label", {}, "Positions from ", h("input", {
        type: "number", min: 0, max: most - 1, step: WINDOW, value: state.from,
        onchange: (/** @type {any} */ event) => { state.from = Math.max(0, Math.min(most - 1, Number(event.target.value) || 0)); redraw(); },
      })),
      h("span", { className: "hint" }, DEFINITIONS[state.measure])];
  },
  draw(run, state, redraw, { shown }) {
    const all = lensOf(run);
    const positions = all.slice(state.from, state.from + WINDOW);
    const value = MEASURES[state.measure];
    // Ranks begin at 0, which has no logarithm.
    const more = state.measure === "rank" ? 1 : 0;
    /** @param {Reading} reading */
    const size = (reading) => { const x = value(reading); return x === null || x === undefined ? null : x + more; };
    const colours = scale(shown.flatMap((each) => lensOf(each).flatMap((position) => position.layers.map(size))), { log: more > 0 });
    const layers = all[0].layers.map((reading) => reading.layer);
    return h("div", {},
      key(state.measure, { least: colours.least - more, largest: colours.largest - more }),
      h("div", { className: "wide" }, cells({
        name: "Logit lens", kind: "lens", corner: "layer", rows: layers.map((layer) => ({ name: layer < 0 ? "start" : String(layer) })),
        columns: positions.map((p) => ({ name: tokenLabel(p.text, 16), title: "position " + p.position })),
        cell(r, c) {
          const reading = positions[c]?.layers[r];
          if (!reading) return null;
          const x = size(reading);
          return {
            text: tokenLabel(reading.top[0]?.token ?? "·", 14), share: x === null ? null : colours.share(x),
            key: "position " + positions[c].position + " layer " + reading.layer, chosen: positions[c].decisive_layer === reading.layer,
            tip: () => told(positions[c], reading),
          };
        },
      })),
      all.length > WINDOW ? h("p", { className: "hint" }, "Positions " + state.from + " to " + Math.min(all.length, state.from + WINDOW) + " of " + all.length) : null);
  },
  rows(run) {
    return [["position", "text", "layer", "token", "probability", "rank_of_final", "entropy", "kl_to_final", "decisive_layer"],
      ...lensOf(run).flatMap((p) => p.layers.map((l) => [p.position, p.text, l.layer, l.top[0]?.token, l.top[0]?.probability, l.rank_of_final, l.entropy, l.kl_to_final, p.decisive_layer]))];
  },
};

/**
 * @param {Readings} position
 * @param {Reading} reading
 */
function told(position, reading) {
  return ["after “" + visible(position.text, 40) + "” (position " + position.position + "), layer " + reading.layer,
    "rank of the final token: " + number(reading.rank_of_final) + "   its probability: " + percent(reading.probability_of_final),
    ...(reading.kl_to_final === null ? [] : ["KL to final: " + number(reading.kl_to_final) + " nats   entropy: " + number(reading.entropy) + " nats"]), "",
    ...reading.top.map((token) => percent(token.probability).padStart(8) + "  " + visible(token.token, 40))].join("\n");
}
