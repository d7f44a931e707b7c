// Arcs from a token to the tokens that a head looks at.
import { h, number, s, STEPS, tokenLabel } from "./dom.js";
import { blockName } from "./data.js";

const HEIGHT = 190;
const MOST_ARCS = 24;
const LEAST = 0.01;

/**
 * @param {import("./data.js").Run} run
 * @param {import("./data.js").Matrix} matrix
 * @param {import("./data.js").State} state
 */
export function arcs(run, matrix, state) {
  const names = Array.from({ length: matrix.side }, (_, block) => blockName(run, matrix, block, tokenLabel));
  /** @type {number[]} */
  const lefts = [];
  let width = 12;
  for (const name of names) {
    lefts.push(width);
    width += Math.max(1, [...name].length) * 7.4 + 7;
  }
  /** @param {number} i */
  const middle = (i) => lefts[i] + ([...names[i]].length * 7.4) / 2;
  const lines = s("g", {});
  const status = h("p", { className: "hint", role: "status" });
  const tokens = names.map((name, i) => s("text", {
    x: lefts[i], y: HEIGHT + 16, "font-family": "ui-monospace, monospace", "font-size": 12, tabindex: i === 0 ? 0 : -1, role: "button",
    "aria-label": "From " + name, "data-key": "position " + matrix.range(i)[0],
    onpointerover: () => show(i), onfocus: () => show(i), onkeydown: (/** @type {KeyboardEvent} */ event) => {
      const next = tokens[i + (STEPS[event.key]?.[1] ?? 0)];
      if (!next || next === tokens[i]) return;
      tokens[i].setAttribute("tabindex", "-1");
      next.setAttribute("tabindex", "0");
      next.focus();
      event.preventDefault();
    },
  }, name));
  /** @param {number} query */
  function show(query) {
    state.query = query;
    const keys = Array.from({ length: query + 1 }, (_, key) => /** @type {const} */ ([key, matrix.weight(query, key)]))
      .filter(([, weight]) => weight >= LEAST).sort(([, a], [, b]) => b - a).slice(0, MOST_ARCS);
    lines.replaceChildren(...keys.map(([key, weight]) => arc(middle(query), middle(key), weight)),
      s("rect", { x: lefts[query] - 2, y: HEIGHT + 3, width: [...names[query]].length * 7.4 + 4, height: 18, fill: "none", stroke: "var(--mark)", "stroke-width": 1.5 }));
    status.textContent = names[query] + " looks at " + (keys.map(([key, weight]) => names[key] + " " + number(weight, 2)).slice(0, 8).join(", ") || "nothing in particular");
  }
  show(Math.min(matrix.side - 1, state.query ?? matrix.side - 1));
  return h("div", {}, h("h3", {}, "Where each token looks"), h("div", { className: "wide" },
    s("svg", { class: "arcs", width, height: HEIGHT + 26, viewBox: `0 0 ${width} ${HEIGHT + 26}`, role: "group", "aria-label": "Tokens with arcs to what they attend to" }, lines, ...tokens)), status);
}

/**
 * @param {number} from
 * @param {number} to
 * @param {number} weight
 */
function arc(from, to, weight) {
  const reach = Math.min(HEIGHT - 14, 14 + Math.abs(from - to) * 0.45);
  const path = from === to ? `M${from - 5} ${HEIGHT}a5 8 0 1 1 10 0` : `M${from} ${HEIGHT}C${from} ${HEIGHT - reach} ${to} ${HEIGHT - reach} ${to} ${HEIGHT}`;
  return s("path", { d: path, fill: "none", stroke: "var(--one)", "stroke-width": Math.max(0.7, 7 * weight).toFixed(2), "stroke-opacity": (0.3 + 0.7 * weight).toFixed(2), "data-weight": weight.toFixed(4) });
}
