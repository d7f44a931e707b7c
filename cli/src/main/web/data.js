// What the page is about: runs, each with the documents that its folder holds.

/**
 * @import { Summary } from "results/summary"
 * @import { Attention } from "results/attention"
 * @import { Pictures } from "results/pictures"
 * @import { Heads } from "results/heads"
 * @import { Lens } from "results/lens"
 * @import { Diff } from "results/diff"
 * @import { Check } from "results/check"
 * @import { Doctor } from "results/doctor"
 * @import { Perplexity } from "results/perplexity"
 * @import { Sparse } from "results/sparse"
 *
 * @typedef {{ summary: Summary, attention: Attention, pictures: Pictures, heads: Heads, lens: Lens,
 *   diff: Diff, check: Check, doctor: Doctor, perplexity: Perplexity, sparse: Sparse }} Documents
 *   documents by their forms, as their schemas have them
 * @typedef {{ file: string, form: keyof Documents, json: any }} Document
 * @typedef {ReturnType<typeof run>} Run
 * @typedef {Partial<Pictures["tokens"][number]> & { position: number, text: string }} Token
 *   of a text of which no more may be known
 *
 * @typedef {Record<string, any>} State what was chosen in a view
 * @typedef {(string | number | null | undefined)[]} Row
 * @typedef {object} View a part of the page
 * @property {string} id
 * @property {string} title
 * @property {string} hint how it is read
 * @property {(run: Run) => boolean} has whether there is anything of a run to show
 * @property {(state: State, runs: Run[], redraw: () => void) => (Node | string)[]} [controls]
 * @property {(run: Run, state: State, redraw: (opened?: boolean) => void, among: { all: Run[], shown: Run[] }) => Node} draw
 * @property {(run: Run, state: State) => Row[]} rows its numbers, names first
 */

/**
 * The runs that Java put into the page: base64 of gzipped JSON.
 *
 * @param {string} text
 * @returns {Promise<Run[]>}
 */
export async function embedded(text) {
  const bytes = Uint8Array.from(atob(text.trim()), (c) => c.charCodeAt(0));
  const json = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return (await new Response(json).json()).runs.map(run);
}

/**
 * A run by the forms of its documents: summary, attention, pictures, heads, lens, diff, check …
 *
 * @param {{ name: string, documents: Document[] }} all
 */
export function run({ name, documents }) {
  /** @type {<F extends keyof Documents>(form: F) => Documents[F] | null} */
  const of = (form) => documents.find((document) => document.form === form)?.json ?? null;
  /** @type {<F extends keyof Documents>(form: F) => Documents[F]} */
  const the = (form) => {
    const found = of(form);
    if (!found) throw new Error("there is no " + form);
    return found;
  };
  const pictures = of("pictures");
  return {
    name,
    documents,
    /** A document, or null. */
    of,
    /** A document that is known to be there. */
    the,
    model: documents.map((document) => document.json.model).find((model) => model) ?? null,
    // Pictures are of the first text, an analysis of many may be of another.
    together: !pictures?.tokens?.length || (of("attention")?.example_prompt ?? 0) === 0,
    /** @type {Token[]} */
    tokens: pictures?.tokens ?? tokensOf(of("attention"), of("lens")),
    matrices: pictures?.attention ? matrices(pictures.attention) : new Map(),
    pooled: pictures?.attention ?? null,
    selections: selections(pictures?.indexer),
  };
}

/**
 * Readings of a lens as lens.json has them; of a run that was traced with one, as far as the tracked
 * tokens tell: what a layer puts first is known where it is one of them.
 *
 * @typedef {Lens["positions"][number]} Position
 * @typedef {Pick<Position["layers"][number], "layer" | "rank_of_final" | "probability_of_final" | "entropy" | "kl_to_final">
 *   & { top: { token: string, probability: number | null }[] }} Reading of one layer
 * @typedef {Pick<Position, "position" | "text" | "decisive_layer"> & { layers: Reading[] }} Readings of a position
 * @param {Run} run
 * @returns {Readings[]}
 */
export function lensOf(run) {
  const lens = run.of("lens");
  if (lens) return lens.positions;
  const found = (run.of("summary")?.logits?.last_evolutions ?? []).flatMap(
    ({ layer_ranks: ranks, layer_probabilities: probabilities, ...trace }) => (ranks && probabilities ? [{ ...trace, ranks, probabilities }] : []));
  const texts = textsOf(run);
  return [...new Set(found.map((trace) => trace.position))].map((position) => {
    const traces = found.filter((trace) => trace.position === position);
    const final = traces.find((trace) => trace.final_rank === 0) ?? traces[0];
    const token = run.tokens.find((each) => each.position === position);
    return {
      position, text: token?.text ?? String(position), decisive_layer: final.decisive_layer,
      layers: final.ranks.map((rank, i) => ({
        layer: i - 1, rank_of_final: rank, probability_of_final: final.probabilities[i], entropy: null, kl_to_final: null,
        top: traces.filter((trace) => trace.ranks[i] === 0).map((trace) =>
          ({ token: texts.get(trace.token) ?? "token " + trace.token, probability: trace.probabilities[i] })),
      })),
    };
  });
}

/**
 * What tokens say, as far as the text and what was expected in it tell, by their ids.
 *
 * @param {Run} run
 */
export function textsOf(run) {
  return new Map(run.tokens.flatMap((token) => [token, ...(token.alternatives ?? [])]).flatMap(({ id, text }) => (id === undefined ? [] : [[id, text]])));
}

/**
 * Texts by position, where nothing but their text is known.
 *
 * @param {Attention | null} attention
 * @param {Lens | null} lens
 * @returns {Token[]}
 */
function tokensOf(attention, lens) {
  const texts = attention?.rollout?.tokens?.map((t) => ({ position: t.position, text: t.token }))
    ?? lens?.positions?.map((p) => ({ position: p.position, text: p.text })) ?? [];
  return texts;
}

/**
 * @param {NonNullable<Pictures["attention"]>} attention
 * @returns {Map<string, Matrix>}
 */
function matrices(attention) {
  return new Map(attention.heads.map((head) => [
    head.layer + "." + head.head, new Matrix(attention, head.weights)]));
}

/** Lower triangle of blocks of `pool` positions, by rows, a byte a cell. */
export class Triangle {
  /** @type {string} */
  #packed;
  /** @type {Uint8Array | null} */
  #bytes = null;

  /**
   * @param {{ side: number, pool: number, positions: number }} shape
   * @param {string} packed
   */
  constructor({ side, pool, positions }, packed) {
    this.side = side;
    this.pool = pool;
    this.positions = positions;
    this.#packed = packed;
  }

  get bytes() {
    if (!this.#bytes) {
      this.#bytes = Uint8Array.from(atob(this.#packed), (c) => c.charCodeAt(0));
      this.#packed = "";
    }
    return this.#bytes;
  }

  /**
   * Byte of a query block and a key block, 0 where the query does not see the key.
   *
   * @param {number} query
   * @param {number} key
   */
  byte(query, key) {
    return key > query ? 0 : this.bytes[(query * (query + 1)) / 2 + key];
  }

  /**
   * First and last position of a block.
   *
   * @param {number} block
   */
  range(block) {
    return [block * this.pool, Math.min(this.positions, (block + 1) * this.pool) - 1];
  }
}

/** Weights of attention: a byte b stands for (b / 255)², so that small weights keep their size. */
export class Matrix extends Triangle {
  /**
   * Weight of a query block on a key block: the mean over its queries of the sum over its keys.
   *
   * @param {number} query
   * @param {number} key
   */
  weight(query, key) {
    return (this.byte(query, key) / 255) ** 2;
  }
}

/**
 * What the indexers of a run selected: {shape, layers: [{layer, top_k, measures by name}]}, or null.
 *
 * @typedef {(query: number, key: number) => number} Of a number of a pair of blocks
 * @param {Pictures["indexer"] | undefined} found
 */
function selections(found) {
  if (!found) return null;
  return {
    shape: new Triangle(found, ""),
    left: found.queries_left_out,
    layers: found.layers.map((layer) => {
      const selected = new Triangle(found, layer.selected);
      const scores = new Triangle(found, layer.scores);
      const attention = layer.attention === null ? null : new Matrix(found, layer.attention);
      /** @type {Of} */
      const share = (q, k) => selected.byte(q, k) / 255;
      return {
        layer: layer.layer,
        top_k: layer.top_k,
        /** @type {Record<string, Of>} */
        measures: {
          selected: share,
          score: (q, k) => layer.score_least + (scores.byte(q, k) / 255) * (layer.score_largest - layer.score_least),
          ...(attention && {
            "attention over all keys": (q, k) => attention.weight(q, k),
            "attention missed": (q, k) => attention.weight(q, k) * (1 - share(q, k)),
          }),
        },
      };
    }),
  };
}

/**
 * What blocks of positions are called: the token's text, or the first and last position.
 *
 * @param {Run} run
 * @param {Triangle} matrix
 * @param {number} block
 * @param {(text: string, longest: number) => string} label
 */
export function blockName(run, matrix, block, label) {
  const [first, last] = matrix.range(block);
  if (first !== last) return first + "–" + last;
  const token = run.tokens[first];
  return token ? label(token.text, 24) : String(first);
}

/**
 * Heads of a run as both commands tell them: [{layer, head, label, measures, of}].
 *
 * @typedef {NonNullable<Attention["attention_weights"][string]["heads"][string]["token_scores"]>} TokenScores
 * @typedef {{ layer: number, head: number, label: string | null, measures: Record<string, number | null | undefined>,
 *   probe?: string | null, scores?: TokenScores }} Head with its scores by token, where they were kept
 * @param {Run} run
 */
export function headsOf(run) {
  const attention = run.of("attention");
  const probed = run.of("heads");
  /** @type {Map<string, Head>} */
  const found = new Map();
  if (attention) {
    for (const layer of Object.values(attention.attention_weights)) {
      for (const head of Object.values(layer.heads)) {
        /** @type {Head["measures"]} */
        const measures = Object.fromEntries(
          Object.entries(head.measures).map(([name, measure]) => [name, measure.mean]));
        if (head.output_norm) measures.output_norm = head.output_norm.mean;
        found.set(layer.layer + "." + head.head, {
          layer: layer.layer, head: head.head, label: head.specialization_type, measures, scores: head.token_scores ?? undefined });
      }
    }
  }
  for (const head of [...(attention?.two_way_heads ?? []), ...(probed?.two_way_heads ?? [])]) {
    const { rows, bad_rows: bad, ...measures } = head.means;
    found.set(head.layer + "." + head.head, {
      layer: head.layer, head: head.head, label: head.two_way_label, measures });
  }
  for (const head of probed?.heads ?? []) {
    const key = head.layer + "." + head.head;
    const known = found.get(key);
    const probe = Object.fromEntries(Object.entries(head.scores).map(([name, x]) => ["probe " + name, x]));
    if (known) {
      Object.assign(known.measures, probe);
      known.probe = head.label;
    } else {
      found.set(key, { layer: head.layer, head: head.head, label: head.label, measures: probe });
    }
  }
  return [...found.values()].sort((a, b) => a.layer - b.layer || a.head - b.head);
}
