// The residual stream: over layers, and over the tokens as they passed.
import { brush, h, number } from "./dom.js";
import { rgb, scale } from "./colour.js";
import { key, lines } from "./chart.js";
import { rms } from "./map.js";

/** @import { Run, View } from "./data.js" */

/** @type {["input" | "post_attention" | "post_ffn" | "output", string][]} */
const PARTS = [["input", "in"], ["post_attention", "attention"], ["post_ffn", "feed-forward"], ["output", "out"]];

/** @param {Run} run */
const layersOf = (run) => run.of("summary")?.activations?.layers ?? [];

/** @type {View} */
export const activations = {
  id: "activations",
  title: "Activations",
  hint: "How large the values are that enter a layer, that its two blocks add, and that leave it, in logarithms. Below, each column is a token, each row a layer: bands that stand out are massive activations, often of the first token.",
  has: (run) => layersOf(run).length > 0,
  draw(run) {
    const layers = layersOf(run);
    return h("div", {},
      lines(PARTS.map(([field, name]) => ({ name, points: layers.map((layer) => [layer.layer, rms(layer[field]?.aggregate)]) })), { x: "layer", y: "rms", log: true }),
      lines([{ name: "kept of the residual stream", points: layers.map((layer) => [layer.layer, layer.residual_ratio]) },
        { name: "cosine of in and out", points: layers.map((layer) => [layer.layer, layer.cosine]) }], { x: "layer", y: "share", height: 170 }),
      norms(run.of("pictures")?.norms));
  },
  rows(run) {
    return [["layer", ...PARTS.map(([, name]) => "rms " + name), "residual_ratio", "cosine", "headroom_bits", "anomalies"],
      ...layersOf(run).map((layer) => [layer.layer, ...PARTS.map(([field]) => rms(layer[field]?.aggregate)),
        layer.residual_ratio, layer.cosine, layer.headroom_bits, layer.anomalies])];
  },
};

/**
 * Norm of the residual stream after each layer, pass by pass.
 *
 * @param {import("./data.js").Documents["pictures"]["norms"] | undefined} found
 */
function norms(found) {
  if (!found?.layers.length || !found.layers[0].norms.length) return null;
  const columns = Math.max(...found.layers.map((layer) => layer.norms.length));
  const colours = scale(found.layers.flatMap((layer) => layer.norms), { log: true });
  const canvas = h("canvas", { className: "matrix", width: columns, height: found.layers.length, role: "img", "aria-label": "Norm of the residual stream by layer and pass",
    style: { width: "min(100%, " + Math.max(360, columns * 6) + "px)", height: found.layers.length * Math.max(6, Math.min(22, 260 / found.layers.length)) + "px", imageRendering: "pixelated" } });
  const paint = brush(canvas);
  const image = paint.createImageData(columns, found.layers.length);
  found.layers.forEach((layer, r) => layer.norms.forEach((x, c) => {
    if (x !== null) image.data.set([...rgb(colours.share(x)), 255], 4 * (r * columns + c));
  }));
  paint.putImageData(image, 0, 0);
  const status = h("p", { className: "hint", role: "status" }, "First pass (the prompt) to the left, layer " + found.layers[0].layer + " on top.");
  canvas.addEventListener("pointermove", (event) => {
    const box = canvas.getBoundingClientRect();
    const c = Math.floor(((event.clientX - box.left) / box.width) * columns), r = Math.floor(((event.clientY - box.top) / box.height) * found.layers.length);
    const layer = found.layers[r];
    if (layer) status.textContent = "layer " + layer.layer + ", pass " + c * found.stride + ": mean norm " + number(layer.norms[c]);
  });
  return h("div", {}, h("h3", {}, "Norm after each layer, pass by pass"), key("norm", colours), canvas, status);
}
