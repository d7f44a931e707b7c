// All heads at a glance, and one of them in full: matrix, and arcs between tokens.
import { choice, h, number, tip, tokenLabel } from "./dom.js";
import { colour, label, rgb, scale } from "./colour.js";
import { cells, key, table } from "./chart.js";
import { blockName, headsOf } from "./data.js";
import { arcs } from "./arcs.js";
import { DEFINITIONS } from "./definitions.js";

const MOST_MINIATURES = 1600;

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

/** A picture of a matrix, a pixel a block. */
function bitmap(matrix) {
  const n = matrix.side;
  const canvas = h("canvas", { width: n, height: n });
  const paint = canvas.getContext("2d");
  const image = paint.createImageData(n, n);
  for (let q = 0; q < n; q++) {
    for (let k = 0; k <= q; k++) {
      image.data.set([...RAMP[matrix.byte(q, k)], 255], 4 * (q * n + k));
    }
  }
  paint.putImageData(image, 0, 0);
  return canvas;
}

const RAMP = Array.from({ length: 256 }, (_, byte) => rgb(byte / 255));

function miniature(matrix) {
  const n = matrix.side;
  const small = Math.min(n, 64);
  const canvas = h("canvas", { width: small, height: small, "aria-hidden": "true" });
  const paint = canvas.getContext("2d");
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

function legend(all) {
  const used = [...new Set(all.map((head) => head.label))];
  return h("p", { className: "hint" }, used.map((name) => {
    const [letter, words, frame] = label(name);
    return h("span", { className: "key" }, h("span", { style: { border: "3px solid " + frame, borderRadius: "4px", padding: "0 .3rem", margin: "0 0 0 .6rem" } }, letter), words);
  }));
}

function detail(run, head, state) {
  const matrix = run.matrices.get(head.layer + "." + head.head);
  const [, words] = label(head.label);
  const measures = Object.entries(head.measures).filter(([, x]) => x !== null && x !== undefined);
  return h("div", { className: "detail", data: { open: head.layer + "." + head.head } },
    h("h3", {}, "Layer " + head.layer + ", head " + head.head + ": " + words),
    matrix ? [zoomed(run, matrix), arcs(run, matrix, state)]
      : h("p", { className: "hint" }, "Its matrix was not kept: run and attention keep matrices of causal heads."),
    h("details", {}, h("summary", {}, "All measures of this head"), table(["measure", "value", "definition"], measures.map(([name, x]) =>
      [name.replaceAll("_", " "), x, DEFINITIONS[name.replace("probe ", "")] ?? ""]))),
    head.own.token_scores ? h("details", {}, h("summary", {}, "Token by token"), h("div", { className: "wide" }, table(
      ["position", "token", "received", "given", "on itself", "most attended"], head.own.token_scores.slice(0, 512).map((t) => [
        t.position, tokenLabel(t.token, 24), t.attention_received, t.attention_given, t.self_attention,
        t.most_attended.map((key) => tokenLabel(key.token, 16) + " " + number(key.weight, 2)).join(", ")])))) : null);
}

/** A matrix that can be zoomed into and walked through. */
function zoomed(run, matrix) {
  const n = matrix.side;
  const size = 520, margin = 74;
  const source = bitmap(matrix);
  const canvas = h("canvas", {
    className: "matrix", width: size + margin, height: size + margin, tabIndex: 0, role: "application",
    "aria-label": "Attention matrix. Arrow keys move, plus and minus zoom.",
  });
  const paint = canvas.getContext("2d");
  let from = 0, count = n, at = null;
  const cell = () => size / count;
  const draw = () => {
    const style = getComputedStyle(document.documentElement);
    paint.clearRect(0, 0, canvas.width, canvas.height);
    paint.imageSmoothingEnabled = false;
    paint.drawImage(source, from, from, count, count, margin, 0, size, size);
    paint.fillStyle = style.getPropertyValue("--text");
    paint.font = "11px ui-monospace, monospace";
    const step = Math.max(1, Math.ceil(12 / cell()));
    for (let i = 0; i < count; i += step) {
      const name = blockName(run, matrix, from + i, tokenLabel).slice(0, 11);
      const middle = (i + 0.5) * cell();
      paint.textAlign = "right";
      paint.fillText(name, margin - 4, middle + 4);
      paint.save();
      paint.translate(margin + middle + 4, size + 4);
      paint.rotate(-Math.PI / 2);
      paint.fillText(name, 0, 0);
      paint.restore();
    }
    if (at) {
      paint.strokeStyle = "#ffffff";
      paint.lineWidth = 2;
      paint.strokeRect(margin + (at[1] - from) * cell(), (at[0] - from) * cell(), Math.max(3, cell()), Math.max(3, cell()));
    }
  };
  const words = () => {
    if (!at) return null;
    const [q, k] = at;
    if (k > q) return blockName(run, matrix, q, tokenLabel) + " does not see " + blockName(run, matrix, k, tokenLabel);
    return blockName(run, matrix, q, tokenLabel) + " (" + matrix.range(q)[0] + ") → " + blockName(run, matrix, k, tokenLabel) + " (" + matrix.range(k)[0] + "): " + number(matrix.weight(q, k), 3);
  };
  const status = h("p", { className: "hint", role: "status" }, "Point at a cell, or walk with the arrow keys.");
  const move = (q, k) => {
    at = [Math.min(n - 1, Math.max(0, q)), Math.min(n - 1, Math.max(0, k))];
    const inside = (i) => i >= from && i < from + count;
    if (!inside(at[0]) || !inside(at[1])) from = Math.max(0, Math.min(n - count, Math.min(at[0], at[1])));
    status.textContent = words();
    draw();
  };
  const zoom = (factor) => {
    const next = Math.min(n, Math.max(4, Math.round(count * factor)));
    const middle = at ? (at[0] + at[1]) / 2 : from + count / 2;
    count = next;
    from = Math.max(0, Math.min(n - count, Math.round(middle - count / 2)));
    draw();
  };
  canvas.addEventListener("pointermove", (event) => {
    const box = canvas.getBoundingClientRect();
    const ratio = canvas.width / box.width;
    const x = (event.clientX - box.left) * ratio - margin, y = (event.clientY - box.top) * ratio;
    if (x < 0 || y < 0 || x >= size || y >= size) return;
    move(from + Math.floor(y / cell()), from + Math.floor(x / cell()));
  });
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && document.activeElement !== canvas) return;
    event.preventDefault();
    zoom(event.deltaY > 0 ? 1.25 : 0.8);
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const [q, k] = at ?? [from, from];
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (step) move(q + step[0], k + step[1]);
    else if (event.key === "+" || event.key === "=") zoom(0.7);
    else if (event.key === "-") zoom(1.4);
    else return;
    event.preventDefault();
  });
  tip(canvas, words);
  draw();
  document.addEventListener("themed", draw);
  return h("div", {}, h("div", { className: "controls" },
    h("button", { type: "button", onclick: () => zoom(0.6) }, "Zoom in"),
    h("button", { type: "button", onclick: () => zoom(1.7) }, "Zoom out"),
    h("button", { type: "button", onclick: () => { from = 0; count = n; draw(); } }, "Whole")), canvas, status);
}
