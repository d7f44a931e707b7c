// Where the branches of a tree lie that average linkage has grown.

/**
 * Leaves below each other, so that no branches cross; what was joined reaches as far as it is apart.
 *
 * @typedef {{ reach: number, middle: number }} Node how far apart its leaves are, and where it stands
 * @param {{ heads: { layer: number, head: number }[], merges: number[][] }} tree merges join items by number and at a
 *   distance; what is joined gets the next number
 * @param {number} row between two leaves
 */
export function dendrogram({ heads, merges }, row) {
  /** @type {(number[] | null)[]} */
  const joined = [...heads.map(() => null), ...merges];
  const leaves = /** @type {{ head: { layer: number, head: number }, y: number }[]} */ ([]);
  const joins = /** @type {{ one: Node, other: Node, reach: number }[]} */ ([]);
  /**
   * @param {number} item
   * @returns {Node}
   */
  const place = (item) => {
    const join = joined[item];
    if (!join) {
      const y = row * leaves.length;
      leaves.push({ head: heads[item], y });
      return { reach: 0, middle: y };
    }
    const [one, other] = [place(join[0]), place(join[1])];
    joins.push({ one, other, reach: join[2] });
    return { reach: join[2], middle: (one.middle + other.middle) / 2 };
  };
  if (joined.length) place(joined.length - 1);
  return { leaves, joins, reach: Math.max(0, ...merges.map(([, , distance]) => distance)) };
}
