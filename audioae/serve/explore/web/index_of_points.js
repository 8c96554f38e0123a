/** Which points are near a place or inside a polygon: kdbush's index over the points, made when first asked. */

import KDBush from "kdbush";

export class PointIndex {
  /** @param {Float32Array} points shape (n * 2) */
  constructor(points) {
    this.points = points;
    this.tree = null;
  }

  /** Makes the index: about 1 s for a million points. */
  make() {
    if (this.tree) return this.tree;
    const { points } = this;
    const tree = new KDBush(points.length / 2, 64, Float32Array);
    for (let at = 0; at < points.length; at += 2) {
      const there = points[at] === points[at];
      tree.add(there ? points[at] : 1e30, there ? points[at + 1] : 1e30); // a missing point is far from everything
    }
    this.tree = tree.finish();
    return this.tree;
  }

  /** The row nearest to (x, y) within `radius` for which `passes(row)` holds, or null. */
  nearest(x, y, radius, passes = () => true) {
    const { points } = this;
    let [best, least] = [null, radius * radius];
    for (const row of this.make().within(x, y, radius)) {
      const away = (points[2 * row] - x) ** 2 + (points[2 * row + 1] - y) ** 2;
      if (away <= least && passes(row)) [best, least] = [row, away];
    }
    return best;
  }

  /** Rows inside a polygon. @param {number[][]} polygon [[x, y], ...] @returns {number[]} */
  inside(polygon) {
    const { points } = this;
    const xs = polygon.map(([x]) => x);
    const ys = polygon.map(([, y]) => y);
    const rows = this.make().range(Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys));
    return rows.filter((row) => contains(polygon, points[2 * row], points[2 * row + 1]));
  }
}

/** Whether (x, y) is inside a polygon: an odd number of its edges is crossed on the way right. */
function contains(polygon, x, y) {
  let inside = false;
  for (let at = 0, last = polygon.length - 1; at < polygon.length; last = at, at += 1) {
    const [x0, y0] = polygon[at];
    const [x1, y1] = polygon[last];
    if (y0 > y !== y1 > y && x < ((x1 - x0) * (y - y0)) / (y1 - y0) + x0) inside = !inside;
  }
  return inside;
}
