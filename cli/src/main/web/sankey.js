// Where the bands of a conserved flow lie: as wide as what they carry, on both ends.

/**
 * Nodes and bands of a flow through layers, the first layer to the left.
 *
 * What is below the first layer is column 0, what is above the last the last column. A column's
 * nodes stand below each other in the order of the text; a node's bands leave it in the order of
 * the nodes they go to, and arrive in the order of those they come from.
 *
 * @typedef {{ column: number, position: number | null, share: number, y: number, height: number, out: number, in: number }} FlowNode
 * @typedef {{ layer: number, column: number, from: number | null, to: number | null, share: number, height: number,
 *   left: number, right: number }} Band left and right are where it begins and ends, from the top
 * @param {{ positions: number[], layers: { layer: number, links: { from: number | null, to: number | null, share: number }[] }[] }} flow
 *   token_flow of attention.json
 * @param {number} height of what carries 1
 * @param {number} gap between two nodes
 */
export function sankey(flow, height, gap) {
  // The others, that are not told apart, come last.
  const places = [...flow.positions, null];
  const depth = flow.layers.length;
  const columns = Array.from({ length: depth + 1 }, (_, column) => {
    // What arrives in the last column leaves the drawing; elsewhere it leaves by the next layer.
    const last = column === depth;
    const links = flow.layers[last ? depth - 1 : column]?.links ?? [];
    let y = 0;
    return places.map((position) => {
      const share = links.reduce((sum, link) => sum + ((last ? link.to : link.from) === position ? link.share : 0), 0);
      /** @type {FlowNode} */
      const node = { column, position, share, y, height: height * share, out: y, in: y };
      y += share > 0 ? node.height + gap : 0;
      return node;
    });
  });
  /** @param {number | null} position */
  const place = (position) => places.indexOf(position);
  const bands = flow.layers.flatMap(({ layer, links }, column) => {
    /** @type {Band[]} */
    const all = links.map((link) => ({ ...link, layer, column, height: height * link.share, left: 0, right: 0 }));
    for (const band of all.toSorted((a, b) => place(a.to) - place(b.to))) {
      const node = columns[column][place(band.from)];
      band.left = node.out;
      node.out += band.height;
    }
    for (const band of all.toSorted((a, b) => place(a.from) - place(b.from))) {
      const node = columns[column + 1][place(band.to)];
      band.right = node.in;
      node.in += band.height;
    }
    return all;
  });
  const nodes = columns.flat().filter((node) => node.share > 0);
  return { nodes, bands, height: Math.max(...nodes.map((node) => node.y + node.height)) };
}
