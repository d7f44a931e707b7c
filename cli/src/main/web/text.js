// The text, each token coloured by a measure.
import { choice, h, number, percent, visible } from "./dom.js";
import { painted, scale } from "./colour.js";
import { key } from "./chart.js";
import { DEFINITIONS } from "./definitions.js";

/** @import { Run, Token, View } from "./data.js" */

/**
 * Measures of tokens by name: of a run, and then of a place in its text; null where it is not known.
 *
 * @type {Record<string, (run: Run) => (p: number) => number | null>}
 */
const MEASURES = {
  probability: (run) => (p) => run.tokens[p].probability ?? null,
  uncertainty: (run) => (p) => run.tokens[p].entropy ?? null,
  attention: received,
  rollout: (run) => {
    if (!run.together) return () => null;
    const of = new Map((run.of("attention")?.rollout.tokens ?? []).map((t) => [t.position, t.attribution]));
    return (p) => of.get(run.tokens[p].position) ?? null;
  },
  "kl to reference": (run) => (p) => run.tokens[p].kl ?? null,
  "reference probability": (run) => (p) => run.tokens[p].reference_probability ?? null,
  "kl to final": (run) => {
    const of = new Map((run.of("lens")?.positions ?? []).map((p) => [p.position, p.layers.at(-2)?.kl_to_final]));
    return (p) => of.get(run.tokens[p].position) ?? null;
  },
};

/**
 * Mean over heads and over the later tokens of the weight on a token; exact matrices only.
 *
 * @param {Run} run
 * @returns {(p: number) => number | null}
 */
function received(run) {
  const all = [...run.matrices.values()];
  const scores = Object.values(run.of("attention")?.attention_weights ?? {}).flatMap((layer) => Object.values(layer.heads)).flatMap((head) => (head.token_scores ? [head.token_scores] : []));
  if (scores.length && run.together) {
    return (p) => {
      const later = scores[0].length - 1 - p;
      return later > 0 ? mean(scores.map((tokens) => tokens[p]?.attention_received ?? 0)) / later : null;
    };
  }
  if (!all.length || all[0].pool > 1) return () => null;
  const n = all[0].side;
  const sums = new Float64Array(n);
  for (const matrix of all) {
    for (let q = 0; q < n; q++) for (let k = 0; k < q; k++) sums[k] += matrix.weight(q, k);
  }
  return (p) => (p < n - 1 ? sums[p] / all.length / (n - 1 - p) : null);
}

/** @param {number[]} numbers */
function mean(numbers) {
  return numbers.reduce((a, b) => a + b, 0) / numbers.length;
}

/**
 * @param {Run} run
 * @param {string | null} measure
 */
function valuesOf(run, measure) {
  const of = measure ? MEASURES[measure](run) : () => null;
  return run.tokens.map((_, p) => of(p));
}

/** @param {Run[]} runs */
function measuresOf(runs) {
  return Object.keys(MEASURES).filter((name) => runs.some((run) => {
    const of = MEASURES[name](run);
    return run.tokens.some((_, p) => of(p) !== null);
  }));
}

/** @type {View} */
export const text = {
  id: "text",
  title: "Text",
  hint: "The text token by token, prompt underlined. Colour is the chosen measure, yellow the largest; pointing at a token tells its numbers, and what else might have stood there.",
  has: (run) => run.tokens.length > 0,
  controls(state, runs, redraw) {
    const names = measuresOf(runs);
    if (!names.includes(state.measure)) state.measure = names.includes("kl to reference") ? "kl to reference" : names[0] ?? null;
    return names.length === 0 ? [] : [
      choice("Colour", names.map((name) => [name, name]), state.measure, (name) => { state.measure = name; redraw(); }),
      h("span", { className: "hint" }, DEFINITIONS[state.measure])];
  },
  draw(run, state, redraw, { shown }) {
    const values = valuesOf(run, state.measure);
    const colours = scale(shown.flatMap((each) => valuesOf(each, state.measure)), state.measure?.endsWith("probability") ? { least: 0, largest: 1 } : {});
    const generated = /** @type {{ generated_text?: string } | null | undefined} */ (run.of("summary")?.prompt)?.generated_text;
    return h("div", {},
      values.some((x) => x !== null) ? key(state.measure, colours) : null,
      run.tokens.length
        ? h("div", { className: "text", role: "list", "aria-label": "Tokens" }, run.tokens.map((token, p) => [
            h("span", {
              role: "listitem", className: token.generated === false ? "given" : "",
              style: values[p] === null ? {} : painted(colours.share(values[p])), data: { key: "position " + token.position },
              tip: () => told(run, token, p),
            }, piece(token.text)), token.text.includes("\n") ? "\n" : null]))
        : generated ? h("p", { className: "text" }, visible(generated, 20000)) : null);
  },
  rows(run) {
    const names = Object.keys(MEASURES);
    const of = names.map((name) => MEASURES[name](run));
    return [["position", "token", ...names], ...run.tokens.map((token, p) => [token.position, token.text, ...of.map((f) => f(p))])];
  },
};

/**
 * A token within running text: its spaces are seen, the rest as in a line.
 *
 * @param {string} token
 */
function piece(token) {
  return visible(token, 60) || "∅";
}

/**
 * @param {Run} run
 * @param {Token} token
 * @param {number} p
 */
function told(run, token, p) {
  const lines = ["“" + visible(token.text, 60) + "”  position " + token.position + (token.id === undefined ? "" : ", id " + token.id)];
  for (const [name, of] of Object.entries(MEASURES)) {
    const x = of(run)(p);
    if (x !== null) lines.push(name + ": " + number(x, 4));
  }
  if (token.alternatives?.length) {
    lines.push("", "The model expected:", ...token.alternatives.map((other) =>
      percent(other.probability).padStart(8) + "  " + visible(other.text, 40)));
  }
  return lines.join("\n");
}
