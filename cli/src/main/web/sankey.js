// Where the bands of a conserved flow lie: as wide as what they carry, on both ends.

/** The others, that are not told apart, come last. */
const REST = null;

/**
 * Nodes and bands of a flow through layers, the first layer to the left.
 *
 * What is below the first layer is column 0, what is above the last the last column. A column's
 * nodes stand below each other in the order of the text; a node's bands leave it in the order of
 * the nodes they go to, and arrive in the order of those they come from.
 *
 * @param flow token_flow of attention.json
 * @param height of what carries 1
 * @param gap between two nodes
 */
export function sankey(flow, height, gap) {
  const places = [...flow.positions, REST];
  const columns = Array.from({ length: flow.layers.length + 1 }, () => new Map());
  const share = (column, place) => columns[column].get(place)?.share ?? 0;
  const add = (column, place, more) => columns[column].set(place, { share: share(column, place) + more });
  flow.layers.forEach(({ links }, d) => {
    for (const link of links) {
      add(d, link.from, link.share);
      // What arrives in the last column leaves the drawing; elsewhere it leaves by the next layer.
      if (d === flow.layers.length - 1) add(d + 1, link.to, link.share);
    }
  });
  const nodes = [];
  columns.forEach((column, c) => {
    let y = 0;
    for (const place of places) {
      const node = column.get(place);
      if (!node) continue;
      Object.assign(node, { column: c, position: place, y, height: height * node.share, out: y, in: y });
      nodes.push(node);
      y += node.height + gap;
    }
  });
  const order = (place) => places.indexOf(place);
  const bands = flow.layers.flatMap(({ layer, links }, d) => {
    const all = links.map((link) => ({ ...link, layer, column: d, height: height * link.share, left: 0, right: 0 }));
    for (const band of [...all].sort((a, b) => order(a.to) - order(b.to))) {
      const node = columns[d].get(band.from);
      band.left = node.out;
      node.out += band.height;
    }
    for (const band of [...all].sort((a, b) => order(a.from) - order(b.from))) {
      const node = columns[d + 1].get(band.to);
      band.right = node.in;
      node.in += band.height;
    }
    return all;
  });
  return { nodes, bands, height: Math.max(...nodes.map((node) => node.y + node.height)) };
}
