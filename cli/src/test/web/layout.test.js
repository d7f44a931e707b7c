import assert from "node:assert/strict";
import { test } from "node:test";
import { dendrogram } from "./main/dendrogram.js";
import { sankey } from "./main/sankey.js";

/** Numbers in [0, 1), the same each time. */
function seeded(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** A flow of 1 through random layers, whose rows sum to 1, back from the last position. */
function flowOf(depth, positions, random) {
  const places = [...positions, null];
  const layers = [];
  let above = new Map([[positions.at(-1), 1]]);
  for (let layer = depth - 1; layer >= 0; layer--) {
    const below = new Map();
    const links = [];
    for (const [to, share] of above) {
      const parts = places.map(() => (random() < 0.4 ? 0 : random()));
      parts[Math.floor(random() * parts.length)] ||= 1;
      const sum = parts.reduce((a, b) => a + b, 0);
      places.forEach((from, i) => {
        if (!parts[i]) return;
        links.push({ from, to, share: (share * parts[i]) / sum });
        below.set(from, (below.get(from) ?? 0) + (share * parts[i]) / sum);
      });
    }
    layers.unshift({ layer, links });
    above = below;
  }
  return { target: positions.at(-1), positions, layers };
}

const near = (a, b, what) => assert.ok(Math.abs(a - b) < 1e-9, `${what}: ${a} and ${b}`);
const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);

test("bands leave a node as wide as they enter it, and no two overlap", () => {
  const random = seeded(5);
  for (let round = 0; round < 40; round++) {
    const depth = 1 + Math.floor(random() * 5);
    const positions = Array.from({ length: 1 + Math.floor(random() * 6) }, (_, i) => 3 * i);
    const { nodes, bands, height } = sankey(flowOf(depth, positions, random), 200, 7);
    for (let column = 0; column <= depth; column++) {
      const here = nodes.filter((node) => node.column === column);
      near(sum(here.map((node) => node.share)), 1, "a column is the whole");
      here.forEach((node, i) => {
        near(node.height, 200 * node.share, "height");
        if (i) near(node.y, here[i - 1].y + here[i - 1].height + 7, "below its neighbour");
        assert.ok(node.y + node.height <= height + 1e-9);
        const leaving = bands.filter((band) => band.column === column && band.from === node.position);
        const entering = bands.filter((band) => band.column === column - 1 && band.to === node.position);
        if (column < depth) filled(node, leaving.map((band) => [band.left, band.height]));
        if (column > 0) filled(node, entering.map((band) => [band.right, band.height]));
      });
    }
  }
});

/** Bands cover a node from its upper to its lower end, each where the one before it ends. */
function filled(node, ends) {
  let y = node.y;
  for (const [from, height] of ends.toSorted(([a], [b]) => a - b)) {
    near(from, y, "a band begins where another ends");
    y += height;
  }
  near(y, node.y + node.height, "bands fill their node");
}

test("bands of a node do not cross where they leave it", () => {
  const { bands } = sankey(flowOf(3, [0, 4, 9], seeded(11)), 100, 5);
  for (const band of bands) {
    for (const other of bands) {
      if (other.column === band.column && other.from === band.from && other.left < band.left) assert.ok(other.right < band.right);
    }
  }
});

test("a tree has its leaves in the order in which no branches cross", () => {
  const heads = [0, 1, 2, 3].map((head) => ({ layer: 0, head }));
  // 0 and 2 join, then 1 and 3, then all.
  const { leaves, joins, reach } = dendrogram({ heads, merges: [[0, 2, 0.1], [1, 3, 0.25], [4, 5, 0.5]] }, 10);
  assert.deepEqual(leaves.map(({ head, y }) => [head.head, y]), [[0, 0], [2, 10], [1, 20], [3, 30]]);
  assert.deepEqual(joins.map(({ one, other, reach: far }) => [one.middle, other.middle, far]), [[0, 10, 0.1], [20, 30, 0.25], [5, 25, 0.5]]);
  assert.deepEqual(joins.map(({ one, other }) => [one.reach, other.reach]), [[0, 0], [0, 0], [0.1, 0.25]]);
  assert.equal(reach, 0.5);
});

test("in a random tree each join stands between what it joins, and each head is a leaf once", () => {
  const random = seeded(2);
  const n = 30;
  const heads = Array.from({ length: n }, (_, i) => ({ layer: i % 5, head: i }));
  const open = heads.map((_, i) => i);
  const merges = [];
  while (open.length > 1) {
    const [a] = open.splice(Math.floor(random() * open.length), 1);
    const [b] = open.splice(Math.floor(random() * open.length), 1);
    open.push(n + merges.length);
    merges.push([a, b, merges.length + 1]);
  }
  const { leaves, joins } = dendrogram({ heads, merges }, 1);
  assert.deepEqual(leaves.map(({ y }) => y), heads.map((_, i) => i));
  assert.equal(new Set(leaves.map(({ head }) => head.head)).size, n);
  joins.forEach(({ one, other, reach }) => {
    assert.ok(one.middle < other.middle);
    assert.ok(one.reach < reach && other.reach < reach);
  });
  assert.equal(joins.length, n - 1);
});
