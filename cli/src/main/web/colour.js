// Scales that people with any kind of colour vision tell apart: cividis (Nuñez, Anderton and
// Renslow 2018) for sizes, Okabe and Ito's palette for kinds.

const CIVIDIS = [
  [0, 34, 78], [0, 50, 110], [53, 69, 108], [79, 87, 108], [102, 105, 112], [125, 124, 120],
  [148, 142, 119], [174, 163, 113], [200, 184, 102], [229, 207, 82], [254, 232, 56]];

/**
 * Red, green and blue of a share in [0, 1].
 *
 * @param {number | null} share
 */
export function rgb(share) {
  const at = Math.min(1, Math.max(0, share ?? 0)) * (CIVIDIS.length - 1);
  const low = Math.min(CIVIDIS.length - 2, Math.floor(at));
  return CIVIDIS[low].map((c, i) => Math.round(c + (at - low) * (CIVIDIS[low + 1][i] - c)));
}

/**
 * The same as a colour of CSS.
 *
 * @param {number | null} share
 */
export function colour(share) {
  return "rgb(" + rgb(share).join(",") + ")";
}

/**
 * Black or white, whichever is read better on the colour of a share.
 *
 * @param {number} share
 */
function ink(share) {
  const [r, g, b] = rgb(share).map((c) => {
    const x = c / 255;
    return x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4;
  });
  const luminance = 0.2126 * r + 0.7152 * g + 0.0722 * b;
  return 1.05 / (luminance + 0.05) >= (luminance + 0.05) / 0.05 ? "#ffffff" : "#000000";
}

/**
 * Background and text of a cell with that share; none where there is no value.
 *
 * @param {number | null | undefined} share
 */
export function painted(share) {
  return share === null || share === undefined || Number.isNaN(share)
    ? {}
    : { background: colour(share), color: ink(share) };
}

/**
 * Label, letter and colour of what heads do; the letter tells it without the colour.
 *
 * @type {Map<string | null | undefined, string[]>}
 */
const LABELS = new Map([
  ["positional", ["F", "fixed offset", "#0072b2"]],
  ["previous_token", ["P", "previous token", "#0072b2"]],
  ["semantic", ["C", "content", "#cc79a7"]],
  ["induction", ["I", "induction", "#cc79a7"]],
  ["shifted_induction", ["i", "shifted induction", "#cc79a7"]],
  ["duplicate_token", ["D", "duplicate token", "#d55e00"]],
  ["syntactic", ["p", "punctuation, a candidate for syntax", "#d55e00"]],
  ["punctuation", ["p", "punctuation", "#d55e00"]],
  ["special_token", ["S", "sink or special tokens", "#e69f00"]],
  ["sink", ["S", "sink", "#e69f00"]],
  ["first_token", ["S", "first token", "#e69f00"]],
  ["self", ["O", "own position", "#56b4e9"]],
  ["next_token", ["N", "next token", "#56b4e9"]],
  ["local", ["l", "local", "#009e73"]],
  ["global", ["g", "global", "#f0e442"]],
  ["mixed", [".", "mixed", "#8c959f"]],
]);

/**
 * Letter, name and colour of a label; of null, that too few rows tell.
 *
 * @param {string | null | undefined} name
 */
export function label(name) {
  return LABELS.get(name) ?? ["?", "too few rows to tell", "#8c959f"];
}

/**
 * Shares in [0, 1] for values, by their least and largest; in logarithms where they are positive
 * and `log` is asked for.
 *
 * @param {unknown[]} values
 * @param {{ log?: boolean, least?: number | null, largest?: number | null }} [how]
 */
export function scale(values, { log = false, least = null, largest = null } = {}) {
  const finite = /** @type {number[]} */ (values.filter((x) => Number.isFinite(x)));
  /** @param {number} x */
  const use = (x) => (log ? Math.log10(Math.max(x, tiny)) : x);
  const positive = finite.filter((x) => x > 0);
  const tiny = positive.length ? positive.reduce((a, b) => Math.min(a, b)) : 1;
  const low = least ?? finite.reduce((a, b) => Math.min(a, b), Infinity);
  const high = largest ?? finite.reduce((a, b) => Math.max(a, b), -Infinity);
  const from = use(low);
  const span = use(high) - from;
  /** @param {unknown} x */
  const share = (x) =>
    typeof x !== "number" ? null : !Number.isFinite(x) ? 1 : span > 0 ? (use(x) - from) / span : 0.5;
  return { share, least: log ? Math.max(low, tiny) : low, largest: high };
}
