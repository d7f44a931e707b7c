// What the page is about: runs, each with the documents that its folder holds.

/** The runs that Java put into the page: base64 of gzipped JSON. */
export async function embedded(text) {
  const bytes = Uint8Array.from(atob(text.trim()), (c) => c.charCodeAt(0));
  const json = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return (await new Response(json).json()).runs.map(run);
}

/** A run by the forms of its documents: summary, attention, pictures, heads, lens, diff, check … */
export function run({ name, documents }) {
  const of = (form) => documents.find((document) => document.form === form)?.json ?? null;
  const pictures = of("pictures");
  return {
    name,
    documents,
    of,
    model: documents.map((document) => document.json.model).find((model) => model) ?? null,
    // Pictures are of the first text, an analysis of many may be of another.
    together: !pictures?.tokens?.length || (of("attention")?.example_prompt ?? 0) === 0,
    tokens: pictures?.tokens ?? tokensOf(of("attention"), of("lens")),
    matrices: pictures?.attention ? matrices(pictures.attention) : new Map(),
    pooled: pictures?.attention ?? null,
    selections: selections(pictures?.indexer),
  };
}

/**
 * Readings of a lens as lens.json has them; of a run that was traced with one, as far as the tracked
 * tokens tell: what a layer puts first is known where it is one of them.
 */
export function lensOf(run) {
  const lens = run.of("lens");
  if (lens) return lens.positions;
  const found = run.of("summary")?.logits?.last_evolutions ?? [];
  const texts = new Map(run.tokens.flatMap((token) => [[token.id, token.text], ...(token.alternatives ?? []).map((other) => [other.id, other.text])]));
  const name = (id) => texts.get(id) ?? "token " + id;
  const byPosition = Map.groupBy(found.filter((trace) => trace.layer_ranks), (trace) => trace.position);
  return [...byPosition].map(([position, traces]) => {
    const final = traces.find((trace) => trace.final_rank === 0) ?? traces[0];
    const token = run.tokens.find((each) => each.position === position);
    return {
      position, text: token?.text ?? String(position), decisive_layer: final.decisive_layer,
      layers: final.layer_ranks.map((rank, i) => ({
        layer: i - 1, rank_of_final: rank, probability_of_final: final.layer_probabilities[i], entropy: null, kl_to_final: null,
        top: traces.filter((trace) => trace.layer_ranks[i] === 0).map((trace) => ({ id: trace.token, token: name(trace.token), logit: trace.layer_logits[i], probability: trace.layer_probabilities[i] })),
      })),
    };
  });
}

/** Texts by position, where nothing but their text is known. */
function tokensOf(attention, lens) {
  const texts = attention?.rollout?.tokens?.map((t) => ({ position: t.position, text: t.token }))
    ?? lens?.positions?.map((p) => ({ position: p.position, text: p.text })) ?? [];
  return texts;
}

function matrices(attention) {
  return new Map(attention.heads.map((head) => [
    head.layer + "." + head.head, new Matrix(attention, head.weights)]));
}

/** Lower triangle of blocks of `pool` positions, by rows, a byte a cell. */
export class Triangle {
  #packed;
  #bytes = null;

  constructor({ side, pool, positions }, packed) {
    this.side = side;
    this.pool = pool;
    this.positions = positions;
    this.#packed = packed;
  }

  get bytes() {
    if (!this.#bytes) {
      this.#bytes = Uint8Array.from(atob(this.#packed), (c) => c.charCodeAt(0));
      this.#packed = null;
    }
    return this.#bytes;
  }

  /** Byte of a query block and a key block, 0 where the query does not see the key. */
  byte(query, key) {
    return key > query ? 0 : this.bytes[(query * (query + 1)) / 2 + key];
  }

  /** First and last position of a block. */
  range(block) {
    return [block * this.pool, Math.min(this.positions, (block + 1) * this.pool) - 1];
  }
}

/** Weights of attention: a byte b stands for (b / 255)², so that small weights keep their size. */
export class Matrix extends Triangle {
  /** Weight of a query block on a key block: the mean over its queries of the sum over its keys. */
  weight(query, key) {
    return (this.byte(query, key) / 255) ** 2;
  }
}

/** What the indexers of a run selected: {shape, layers: [{layer, top_k, measures by name}]}, or null. */
function selections(found) {
  if (!found) return null;
  return {
    shape: new Triangle(found, ""),
    left: found.queries_left_out,
    layers: found.layers.map((layer) => {
      const selected = new Triangle(found, layer.selected);
      const scores = new Triangle(found, layer.scores);
      const attention = layer.attention === null ? null : new Matrix(found, layer.attention);
      const share = (q, k) => selected.byte(q, k) / 255;
      return {
        layer: layer.layer,
        top_k: layer.top_k,
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

/** What blocks of positions are called: the token's text, or the first and last position. */
export function blockName(run, matrix, block, label) {
  const [first, last] = matrix.range(block);
  if (first !== last) return first + "–" + last;
  const token = run.tokens[first];
  return token ? label(token.text, 24) : String(first);
}

/** Heads of a run as both commands tell them: [{layer, head, label, measures, of}]. */
export function headsOf(run) {
  const attention = run.of("attention");
  const probed = run.of("heads");
  const found = new Map();
  if (attention) {
    for (const layer of Object.values(attention.attention_weights)) {
      for (const head of Object.values(layer.heads)) {
        const measures = Object.fromEntries(
          Object.entries(head.measures).map(([name, measure]) => [name, measure.mean]));
        if (head.output_norm) measures.output_norm = head.output_norm.mean;
        found.set(layer.layer + "." + head.head, {
          layer: layer.layer, head: head.head, label: head.specialization_type, measures, own: head });
      }
    }
  }
  for (const head of [...(attention?.two_way_heads ?? []), ...(probed?.two_way_heads ?? [])]) {
    const { rows, bad_rows: bad, ...measures } = head.means;
    found.set(head.layer + "." + head.head, {
      layer: head.layer, head: head.head, label: head.two_way_label, measures, own: head });
  }
  for (const head of probed?.heads ?? []) {
    const key = head.layer + "." + head.head;
    const known = found.get(key);
    const probe = Object.fromEntries(Object.entries(head.scores).map(([name, x]) => ["probe " + name, x]));
    if (known) {
      Object.assign(known.measures, probe);
      known.probe = head.label;
    } else {
      found.set(key, { layer: head.layer, head: head.head, label: head.label, measures: probe, own: head });
    }
  }
  return [...found.values()].sort((a, b) => a.layer - b.layer || a.head - b.head);
}
