import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { test } from "node:test";
import { blockName, embedded, headsOf, lensOf, Matrix, run, Triangle } from "./main/data.js";

const base64 = (bytes) => Buffer.from(bytes).toString("base64");

test("a triangle gives the byte of each pair, and none above its diagonal", () => {
  const side = 7;
  const bytes = [];
  for (let q = 0; q < side; q++) for (let k = 0; k <= q; k++) bytes.push(16 * q + k);
  const triangle = new Triangle({ side, pool: 1, positions: side }, base64(bytes));
  for (let q = 0; q < side; q++) {
    for (let k = 0; k < side; k++) assert.equal(triangle.byte(q, k), k > q ? 0 : 16 * q + k);
  }
});

test("a weight comes back as near as its byte tells", () => {
  for (let i = 0; i <= 1000; i++) {
    const weight = i / 1000;
    const matrix = new Matrix({ side: 1, pool: 1, positions: 1 }, base64([Math.round(255 * Math.sqrt(weight))]));
    assert.ok(Math.abs(matrix.weight(0, 0) - weight) <= Math.sqrt(weight) / 255 + 4e-6, String(weight));
  }
});

test("blocks have first and last positions, and a block of one the token's name", () => {
  const blocks = new Triangle({ side: 3, pool: 4, positions: 10 }, "");
  assert.deepEqual([0, 1, 2].map((block) => blocks.range(block)), [[0, 3], [4, 7], [8, 9]]);
  const known = run({ name: "r", documents: [{ file: "p", form: "pictures", json: { tokens: [{ position: 0, text: "one" }], norms: {}, attention: null } }] });
  assert.equal(blockName(known, blocks, 1, (text) => text), "4–7");
  const single = new Triangle({ side: 2, pool: 1, positions: 2 }, "");
  assert.equal(blockName(known, single, 0, (text) => text), "one");
  assert.equal(blockName(known, single, 1, (text) => text), "1");
});

test("what Java packs is unpacked, texts that end elements and all", async () => {
  const name = "</script> \u{1f600} \u202e";
  const runs = await embedded("\n" + gzipSync(JSON.stringify({ runs: [{ name, documents: [] }] })).toString("base64") + "\n");
  assert.equal(runs.length, 1);
  assert.equal(runs[0].name, name);
  assert.equal(runs[0].of("summary"), null);
  assert.throws(() => runs[0].the("summary"), /there is no summary/);
});

test("selections: what is missed is what attention wants and the indexer does not take", () => {
  const indexer = {
    positions: 2, pool: 1, side: 2, queries_left_out: 3,
    layers: [{ layer: 5, top_k: 1, selected: base64([255, 0, 255]), scores: base64([0, 255, 51]), score_least: -1, score_largest: 4, attention: base64([255, 204, 153]) }],
  };
  const { selections } = run({ name: "r", documents: [{ file: "p", form: "pictures", json: { tokens: [], norms: {}, attention: null, indexer } }] });
  const { measures } = selections.layers[0];
  assert.equal(selections.left, 3);
  assert.deepEqual([measures.score(0, 0), measures.score(1, 0), measures.score(1, 1)], [-1, 4, 0]);
  assert.deepEqual([measures.selected(1, 0), measures.selected(1, 1)], [0, 1]);
  assert.ok(Math.abs(measures["attention over all keys"](1, 0) - 0.64) < 1e-12);
  assert.ok(Math.abs(measures["attention missed"](1, 0) - 0.64) < 1e-12);
  assert.equal(measures["attention missed"](1, 1), 0);
  const without = { ...indexer, layers: [{ ...indexer.layers[0], attention: null }] };
  const other = run({ name: "r", documents: [{ file: "p", form: "pictures", json: { tokens: [], norms: {}, attention: null, indexer: without } }] });
  assert.deepEqual(Object.keys(other.selections.layers[0].measures), ["selected", "score"]);
});

test("heads of both commands are one list, those of the text first", () => {
  const head = (n, mean) => ({ head: n, specialization_type: "local", measures: { entropy: { mean } }, output_norm: { mean: 2 }, token_scores: null });
  const attention = { attention_weights: { 1: { layer: 1, heads: { 1: head(1, 0.5), 0: head(0, 0.25) } } }, two_way_heads: [] };
  const probed = { heads: [{ layer: 0, head: 2, label: "sink", scores: { sink: 0.75 } }, { layer: 1, head: 1, label: "induction", scores: { induction: 0.125 } }] };
  const found = headsOf(run({ name: "r", documents: [{ file: "a", form: "attention", json: attention }, { file: "h", form: "heads", json: probed }] }));
  assert.deepEqual(found.map(({ layer, head: h, label }) => [layer, h, label]), [[0, 2, "sink"], [1, 0, "local"], [1, 1, "local"]]);
  assert.deepEqual(found[2].measures, { entropy: 0.5, output_norm: 2, "probe induction": 0.125 });
  assert.equal(found[2].probe, "induction");
});

test("a lens that was traced with a run is read from its tracked tokens", () => {
  const trace = (token, ranks, final) => ({ position: 4, token, final_rank: final, decisive_layer: 1, layer_ranks: ranks, layer_probabilities: ranks.map((r) => 1 / (r + 2)) });
  const summary = { logits: { last_evolutions: [trace(7, [3, 0], 0), trace(9, [0, 5], 1), { position: 4, token: 1, layer_ranks: null, layer_probabilities: null }] } };
  const [reading, ...more] = lensOf(run({ name: "r", documents: [{ file: "s", form: "summary", json: summary }] }));
  assert.equal(more.length, 0);
  assert.deepEqual(reading.layers.map((layer) => [layer.layer, layer.rank_of_final, layer.top[0].token]), [[-1, 3, "token 9"], [0, 0, "token 7"]]);
});
