// A matrix of queries and keys that can be zoomed into and walked through, on a canvas.
import { brush, h, STEPS, tip, whileShown } from "./dom.js";

const SIZE = 520;
const MARGIN = 74;
const DOTTED = 7;

/**
 * Cells of queries (downwards) and keys (to the right), a query seeing the keys up to itself.
 *
 * @param {object} of
 * @param {number} of.side cells along a side
 * @param {(query: number, key: number) => number[]} of.pixel red, green and blue of a query and a key that it sees
 * @param {(i: number) => string} of.name what a row or column is called
 * @param {(query: number, key: number) => string} of.words what is told of a query and a key
 * @param {(query: number, key: number) => boolean} [of.dotted] whether a cell carries a dot, where cells are large enough
 * @param {string} of.key what the matrix is of: matrices of two runs with the same key have one cursor
 * @param {string} of.label
 */
export function zoomable({ side, pixel, name, words, dotted, key, label }) {
  const source = bitmap(side, pixel);
  const canvas = h("canvas", {
    className: "matrix", width: SIZE + MARGIN, height: SIZE + MARGIN, tabIndex: 0, role: "application",
    "aria-label": label + ". Arrow keys move, plus and minus zoom.",
  });
  const paint = brush(canvas);
  const status = h("p", { className: "hint", role: "status" }, "Point at a cell, or walk with the arrow keys.");
  let from = 0, count = side;
  /** @type {[number, number] | null} */
  let at = null;
  const cell = () => SIZE / count;
  const draw = () => {
    const style = getComputedStyle(document.documentElement);
    paint.clearRect(0, 0, canvas.width, canvas.height);
    paint.imageSmoothingEnabled = false;
    paint.drawImage(source, from, from, count, count, MARGIN, 0, SIZE, SIZE);
    names(style.getPropertyValue("--text"));
    if (dotted && cell() >= DOTTED) dots(dotted);
    if (at) {
      paint.strokeStyle = "#ffffff";
      paint.lineWidth = 2;
      paint.strokeRect(MARGIN + (at[1] - from) * cell(), (at[0] - from) * cell(), Math.max(3, cell()), Math.max(3, cell()));
    }
  };
  /** @param {string} ink */
  const names = (ink) => {
    paint.fillStyle = ink;
    paint.font = "11px ui-monospace, monospace";
    const step = Math.max(1, Math.ceil(12 / cell()));
    for (let i = 0; i < count; i += step) {
      const words = name(from + i).slice(0, 11);
      const middle = (i + 0.5) * cell();
      paint.textAlign = "right";
      paint.fillText(words, MARGIN - 4, middle + 4);
      paint.save();
      paint.translate(MARGIN + middle + 4, SIZE + 4);
      paint.rotate(-Math.PI / 2);
      paint.fillText(words, 0, 0);
      paint.restore();
    }
  };
  /** @param {(query: number, key: number) => boolean} dotted */
  const dots = (dotted) => {
    for (let q = from; q < from + count; q++) {
      for (let k = from; k <= q; k++) {
        if (!dotted(q, k)) continue;
        paint.beginPath();
        paint.arc(MARGIN + (k - from + 0.5) * cell(), (q - from + 0.5) * cell(), cell() / 5, 0, 2 * Math.PI);
        paint.fillStyle = "#ffffff";
        paint.fill();
        paint.strokeStyle = "#000000";
        paint.lineWidth = 1;
        paint.stroke();
      }
    }
  };
  /**
   * @param {number} q
   * @param {number} k
   */
  const show = (q, k) => {
    at = [Math.min(side - 1, Math.max(0, q)), Math.min(side - 1, Math.max(0, k))];
    /** @param {number} i */
    const inside = (i) => i >= from && i < from + count;
    if (!inside(at[0]) || !inside(at[1])) from = Math.max(0, Math.min(side - count, Math.min(at[0], at[1])));
    status.textContent = words(...at);
    draw();
  };
  /**
   * @param {number} q
   * @param {number} k
   */
  const move = (q, k) => {
    show(q, k);
    document.dispatchEvent(new CustomEvent("cursor", { detail: { key, of: canvas, cell: at } }));
  };
  /** @param {number} factor */
  const zoom = (factor) => {
    const middle = at ? (at[0] + at[1]) / 2 : from + count / 2;
    count = Math.min(side, Math.max(4, Math.round(count * factor)));
    from = Math.max(0, Math.min(side - count, Math.round(middle - count / 2)));
    draw();
  };
  canvas.addEventListener("pointermove", (event) => {
    const box = canvas.getBoundingClientRect();
    const ratio = canvas.width / box.width;
    const x = (event.clientX - box.left) * ratio - MARGIN, y = (event.clientY - box.top) * ratio;
    if (x < 0 || y < 0 || x >= SIZE || y >= SIZE) return;
    move(from + Math.floor(y / cell()), from + Math.floor(x / cell()));
  });
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && document.activeElement !== canvas) return;
    event.preventDefault();
    zoom(event.deltaY > 0 ? 1.25 : 0.8);
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const [q, k] = at ?? [from, from];
    const step = STEPS[event.key];
    if (step) move(q + step[0], k + step[1]);
    else if (event.key === "+" || event.key === "=") zoom(0.7);
    else if (event.key === "-") zoom(1.4);
    else return;
    event.preventDefault();
  });
  tip(canvas, () => at && words(at[0], at[1]));
  whileShown(canvas, "themed", draw);
  whileShown(canvas, "cursor", ({ detail }) => {
    if (detail.key === key && detail.of !== canvas) show(detail.cell[0], detail.cell[1]);
  });
  draw();
  /**
   * @param {string} words
   * @param {() => void} act
   */
  const button = (words, act) => h("button", { type: "button", onclick: act }, words);
  return h("div", {}, h("div", { className: "controls" },
    button("Zoom in", () => zoom(0.6)), button("Zoom out", () => zoom(1.7)),
    button("Whole", () => { from = 0; count = side; draw(); })), canvas, status);
}

/**
 * A picture of the lower triangle, a pixel a cell.
 *
 * @param {number} side
 * @param {(query: number, key: number) => number[]} pixel
 */
function bitmap(side, pixel) {
  const canvas = h("canvas", { width: side, height: side });
  const paint = brush(canvas);
  const image = paint.createImageData(side, side);
  for (let q = 0; q < side; q++) {
    for (let k = 0; k <= q; k++) image.data.set([...pixel(q, k), 255], 4 * (q * side + k));
  }
  paint.putImageData(image, 0, 0);
  return canvas;
}
