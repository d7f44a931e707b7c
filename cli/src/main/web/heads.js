// All heads at a glance, and one of them in full: matrix, and arcs between tokens.
import { brush, choice, h, number, tokenLabel } from "./dom.js";
import { colour, label, rgb, scale } from "./colour.js";
import { cells, key, table } from "./chart.js";
import { blockName, headsOf } from "./data.js";
import { arcs } from "./arcs.js";
import { zoomable } from "./matrix.js";
import { DEFINITIONS } from "./definitions.js";

/** @import { Head, Matrix, Run, State, View } from "./data.js" */

const MOST_MINIATURES = 1600;

/** @type {View} */
export const heads = {
  id: "heads",
  title: "Heads",
  hint: "A row is a layer, a cell a head: its matrix in miniature (queries downwards, keys to the right), letter and frame for what it does. A head opens on a click or on Enter.",
  has: (run) => headsOf(run).length > 0,
  controls(state, runs, redraw) {
    const names = new Set(runs.flatMap((run) => headsOf(run).flatMap((head) => Object.keys(head.measures))));
    if (state.measure !== "label" && !names.has(state.measure)) state.measure = "label";
    return [choice("Frame", [["label", "label"], ...[...names].map((name) => [name, name.replaceAll("_", " ")])], state.measure, (name) => { state.measure = name; redraw(); }),
      h("span", { className: "hint" }, DEFINITIONS[state.measure.replace("probe ", "")] ?? "")];
  },
  draw(run, state, redraw, { shown }) {
    const all = headsOf(run);
    const layers = [...new Set(all.map((head) => head.layer))];
    const widest = all.reduce((most, head) => Math.max(most, head.head), 0) + 1;
    const colours = scale(shown.flatMap(headsOf).map((head) => head.measures[state.measure]));
    const at = new Map(all.map((head) => [head.layer + "." + head.head, head]));
    const miniatures = run.matrices.size > 0 && all.length <= MOST_MINIATURES;
    const grid = cells({
      name: "Layers by heads", kind: "heads", corner: "layer", rows: layers, columns: Array.from({ length: widest }, (_, i) => ({ name: String(i) })),
      cell(r, c) {
        const name = layers[r] + "." + c;
        const head = at.get(name);
        return head ? { text: button(run, head, name, miniatures, state, colours, redraw), share: undefined, key: null } : null;
      },
    });
    const open = at.get(state.open);
    return h("div", {},
      state.measure === "label" ? legend(all) : key(state.measure.replaceAll("_", " "), colours),
      h("div", { className: "wide" }, grid),
      run.pooled && run.pooled.pool > 1 ? h("p", { className: "hint" }, "Of " + run.pooled.positions + " positions " + run.pooled.pool +
        " each are taken together: a cell is the mean over its queries of the weight on all of its keys.") : null,
      open ? detail(run, open, state) : null);
  },
  rows(run) {
    const all = headsOf(run);
    const names = [...new Set(all.flatMap((head) => Object.keys(head.measures)))];
    return [["layer", "head", "label", ...names], ...all.map((head) => [head.layer, head.head, head.label, ...names.map((name) => head.measures[name] ?? null)])];
  },
};

/**
 * @param {Run} run
 * @param {Head} head
 * @param {string} name
 * @param {boolean} miniatures
 * @param {State} state
 * @param {ReturnType<typeof scale>} colours
 * @param {(opened: boolean) => void} redraw
 */
function button(run, head, name, miniatures, state, colours, redraw) {
  const [letter, words, frame] = label(head.label);
  const x = head.measures[state.measure];
  const border = state.measure === "label" ? frame : x === undefined || x === null ? "transparent" : colour(colours.share(x));
  const matrix = run.matrices.get(name);
  return h("button", {
    type: "button", "aria-label": "Layer " + head.layer + ", head " + head.head + ": " + words, "aria-expanded": String(state.open === name),
    style: { borderColor: border }, data: { key: "head " + name, head: name }, className: state.open === name ? "chosen" : "",
    tip: () => "L" + head.layer + "H" + head.head + "  " + words + (head.probe ? "\non the probe: " + label(head.probe)[1] : "") + "\n" +
      Object.entries(head.measures).filter(([, v]) => v !== null).slice(0, 14).map(([n, v]) => n.replaceAll("_", " ") + ": " + number(v)).join("\n"),
    onclick: () => { state.open = state.open === name ? null : name; redraw(true); },
  }, miniatures && matrix ? miniature(matrix) : null, h("span", {}, state.measure === "label" ? letter : number(x, 2)));
}

const RAMP = Array.from({ length: 256 }, (_, byte) => rgb(byte / 255));

/** @param {Matrix} matrix */
function miniature(matrix) {
  const n = matrix.side;
  const small = Math.min(n, 64);
  const canvas = h("canvas", { width: small, height: small, "aria-hidden": "true" });
  const paint = brush(canvas);
  const image = paint.createImageData(small, small);
  for (let y = 0; y < small; y++) {
    for (let x = 0; x <= y; x++) {
      let most = 0;
      const q1 = Math.floor(((y + 1) * n) / small), k1 = Math.floor(((x + 1) * n) / small);
      for (let q = Math.floor((y * n) / small); q < q1; q++) {
        for (let k = Math.floor((x * n) / small); k < k1; k++) most = Math.max(most, matrix.byte(q, k));
      }
      image.data.set([...RAMP[most], 255], 4 * (y * small + x));
    }
  }
  paint.putImageData(image, 0, 0);
  return canvas;
}

/** @param {Head[]} all */
function legend(all) {
  const used = [...new Set(all.map((head) => head.label))];
  return h("p", { className: "hint" }, used.map((name) => {
    const [letter, words, frame] = label(name);
    return h("span", { className: "key" }, h("span", { style: { border: "3px solid " + frame, borderRadius: "4px", padding: "0 .3rem", margin: "0 0 0 .6rem" } }, letter), words);
  }));
}

/**
 * @param {Run} run
 * @param {Head} head
 * @param {State} state
 */
function detail(run, head, state) {
  const matrix = run.matrices.get(head.layer + "." + head.head);
  const [, words] = label(head.label);
  const measures = Object.entries(head.measures).filter(([, x]) => x !== null && x !== undefined);
  return h("div", { className: "detail", data: { open: head.layer + "." + head.head } },
    h("h3", {}, "Layer " + head.layer + ", head " + head.head + ": " + words),
    matrix ? [zoomed(run, head, matrix), arcs(run, matrix, state)]
      : h("p", { className: "hint" }, "Its matrix was not kept: run and attention keep matrices of causal heads."),
    h("details", {}, h("summary", {}, "All measures of this head"), table(["measure", "value", "definition"], measures.map(([name, x]) =>
      [name.replaceAll("_", " "), x, DEFINITIONS[name.replace("probe ", "")] ?? ""]))),
    head.scores ? h("details", {}, h("summary", {}, "Token by token"), h("div", { className: "wide" }, table(
      ["position", "token", "received", "given", "on itself", "most attended"], head.scores.slice(0, 512).map((t) => [
        t.position, tokenLabel(t.token, 24), t.attention_received, t.attention_given, t.self_attention,
        t.most_attended.map((key) => tokenLabel(key.token, 16) + " " + number(key.weight, 2)).join(", ")])))) : null);
}

/**
 * @param {Run} run
 * @param {Head} head
 * @param {Matrix} matrix
 */
function zoomed(run, head, matrix) {
  /** @param {number} block */
  const name = (block) => blockName(run, matrix, block, tokenLabel);
  return zoomable({
    side: matrix.side, name, key: "head " + head.layer + "." + head.head, label: "Attention matrix",
    pixel: (q, k) => RAMP[matrix.byte(q, k)],
    words: (q, k) => (k > q ? name(q) + " does not see " + name(k)
      : name(q) + " (" + matrix.range(q)[0] + ") → " + name(k) + " (" + matrix.range(k)[0] + "): " + number(matrix.weight(q, k), 3)),
  });
}
