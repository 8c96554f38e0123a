/**
 * A second map beside the first: the same rows at their places in another version.
 *
 * Conventions: a track that the other version lacks has no point (NaN). Colors, selected and hovered track are those of
 * the first map; pointing and clicking here does the same there.
 */

import { repeats, tonesOf } from "../columns.js";
import { toneTable } from "../palette.js";
import { MapView } from "../view.js";

const LINKED = [
  ["selected", "chosen"],
  ["hovered", "ring"],
];

/** @param {HTMLElement} element @param {any} app @param {string} index */
export async function secondMap(element, app, index) {
  const points = new Float32Array(await app.api.binary(`v1/versions/points?${new URLSearchParams({ index })}`));
  element.replaceChildren();
  const view = new MapView(element, {
    points,
    bounds: boundsOf(points),
    label: `Map of ${index}, aligned to the first`,
  });
  const show = ([name, style]) => {
    const row = app.state.get(name);
    view.mark(name, Number.isInteger(row) ? { rows: [row], style } : null);
  };
  const color = async () => {
    const column = await app.columns.get(app.state.get("color")).catch(() => null);
    if (column)
      view.setTones(tonesOf(column), toneTable(column.kind === "category" ? "category" : "number", repeats(column)));
  };
  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", color);
  const ends = [
    ...LINKED.map((pair) => app.state.on(pair[0], () => show(pair))),
    app.state.on("color", color),
    () => dark.removeEventListener("change", color),
  ];
  view.on("hover", (row) => row !== app.state.get("hovered") && app.state.set({ hovered: row }));
  view.on("click", (row) => row !== null && app.actions.choose(row, { play: true }));
  LINKED.forEach(show);
  color();
  return {
    view,
    close() {
      ends.forEach((end) => end());
      view.renderer.gl.getExtension("WEBGL_lose_context")?.loseContext();
      element.replaceChildren();
    },
  };
}

/** [x0, y0, x1, y1] of the points that there are. */
function boundsOf(points) {
  const bounds = [Infinity, Infinity, -Infinity, -Infinity];
  for (let at = 0; at < points.length; at += 2) {
    const [x, y] = [points[at], points[at + 1]];
    if (x !== x) continue;
    if (x < bounds[0]) bounds[0] = x;
    if (y < bounds[1]) bounds[1] = y;
    if (x > bounds[2]) bounds[2] = x;
    if (y > bounds[3]) bounds[3] = y;
  }
  return bounds[0] <= bounds[2] ? bounds : [0, 0, 1, 1];
}
