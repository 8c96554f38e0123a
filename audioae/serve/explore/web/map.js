/**
 * The catalog's map: the view, colored and filtered as the state says; a click selects and plays.
 *
 * Conventions: `app.map` of the panels is what `createMap` returns.
 */

import { repeats, tonesOf } from "./columns.js";
import { debounce, isDark } from "./dom.js";
import { createLegend } from "./legend.js";
import { toneTable } from "./palette.js";
import { h } from "./panels/elements.js";
import { createTooltip } from "./tooltip.js";
import { MapView } from "./view.js";

const [WIDE, LEGEND, TOOLS] = [640, 230, 48]; // pixels: tools cover no point of a whole map, nor legend of a wide one
const REST_MS = 120; // a pointer that rests on a point may click it

/** @param {HTMLElement} element @param {any} app @param {{info: any, points: Float32Array}} content */
export function createMap(element, app, { info, points }) {
  const label = `Map of ${info.n.toLocaleString("en")} tracks. Arrow keys go to neighbors, plus and minus zoom.`;
  const covered = { top: TOOLS, right: element.clientWidth > WIDE ? LEGEND : 0 };
  const view = new MapView(element, { points, bounds: info.bounds, regions: info.regions, label, covered });
  const legendBox = h("section", { class: "legend-box", "aria-label": "Colors" });
  element.append(legendBox);
  const legend = createLegend(legendBox, app);
  const tooltip = createTooltip(element, app);
  const { state } = app;
  let column = null;
  let mask = null;
  let chosen = null; // rows inside the selection, as a set of bits

  const paint = () =>
    column && view.setTable(toneTable(column.kind === "category" ? "category" : "number", repeats(column)));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    paint();
    if (column) legend.show(column);
  });

  async function color() {
    const name = state.get("color");
    try {
      const loaded = await app.columns.get(name);
      if (name !== state.get("color")) return;
      column = loaded;
      view.setTones(tonesOf(column), toneTable(column.kind === "category" ? "category" : "number", repeats(column)));
      view.repaint(() => performance.mark("explorer-picture"));
      legend.show(column);
      faint();
    } catch (error) {
      app.fail(error);
    }
  }

  async function filter() {
    const filters = state.get("filters");
    try {
      const bits = filters ? new Uint8Array(await app.api.binary("v1/map/mask", { body: filters })) : null;
      if (filters !== state.get("filters")) return;
      mask = bits;
      app.events.emit("passing", mask ? count(mask) : info.n);
      faint();
    } catch (error) {
      app.fail(error);
    }
  }

  function choose() {
    const selection = state.get("selection");
    view.setPolygon(selection?.polygon ?? null);
    const rows = selection?.polygon ? view.index.inside(selection.polygon) : (selection?.rows ?? null);
    chosen = rows && bitsOf(rows, info.n);
    faint();
  }

  function faint() {
    const only = column?.kind === "category" ? state.get("only") : null;
    const values = column?.values;
    const isFaint = (row) =>
      (only !== null && values[row] !== only) || (mask && !has(mask, row)) || (chosen && !has(chosen, row));
    view.setFaint(only !== null || mask || chosen ? isFaint : null);
    if (column) legend.show(column);
  }

  const prepare = debounce(
    (row) => row !== null && info.audio !== "none" && app.player.prepare(row).catch(() => {}),
    REST_MS,
  );
  const marks = [
    ["selected", "chosen"],
    ["hovered", "ring"],
    ["seeds", "seed"],
    ["minus", "minus"],
  ];
  for (const [name, style] of marks) {
    const show = () => {
      const rows = [state.get(name)].flat().filter((row) => row !== null && row !== undefined);
      view.mark(name, rows.length ? { rows, style } : null);
    };
    state.on(name, show);
    show();
  }
  state.on("color", color);
  state.on("only", faint);
  state.on("filters", filter);
  state.on("selection", choose);
  view.on("hover", (row, left, top) => {
    if (row !== state.get("hovered")) state.set({ hovered: row });
    view.element.classList.toggle("pointing", row !== null);
    tooltip.show(row, left, top);
    prepare(row);
  });
  view.on("click", (row, event) => clicked(row, event));
  view.on("move", (camera) => state.set({ view: camera }));
  view.on("lasso", (polygon) => {
    map.lasso(false);
    state.set({
      selection: { polygon: polygon.map((spot) => spot.map((value) => Number(value.toPrecision(6)))) },
      panel: "selection",
    });
    for (const listener of lassoed) listener(polygon);
  });

  function clicked(row, event) {
    if (row === null) return;
    if (event.shiftKey) return app.actions.toggle("minus", row);
    if (event.altKey || event.ctrlKey || event.metaKey) return app.actions.toggle("seeds", row);
    app.actions.choose(row, { play: true });
  }

  const lassoed = new Set();
  const map = {
    view,
    info,
    points,
    n: info.n,
    isDark,
    /** Whether a row passes the filters. */
    passes: (row) => !mask || has(mask, row),
    /** Selects the first of these rows and rings all. @param {number[]} rows */
    select(rows) {
      map.highlight(rows.slice(1), "ring");
      app.actions.choose(rows[0] ?? null, { play: false });
    },
    /** Rings rows; an empty list removes the rings of this style. @param {number[]} rows @param {string} [style] ring, seed, minus, chosen */
    highlight: (rows, style = "ring") =>
      view.mark(`highlight ${style}`, rows.length ? { rows: [...rows], style } : null),
    /** Draws a numbered path through rows. @param {number[]} rows */
    path: (rows) => view.mark("path", rows.length ? { rows: [...rows], style: "path" } : null),
    /** Marks a place that is no track. @param {number[]|null} at */
    place: (at) => view.mark("file", at && { at, style: "file" }),
    flyTo: (rows) => view.flyTo(rows),
    /** @param {(polygon: number[][]) => void} listener */
    onLasso(listener) {
      lassoed.add(listener);
      return () => lassoed.delete(listener);
    },
    /** Turns drawing a lasso on or off. @param {boolean} on */
    lasso(on) {
      view.lassoing = on;
      view.element.classList.toggle("lassoing", on);
      app.events.emit("lassoing", on);
    },
  };
  color();
  if (state.get("filters")) filter();
  if (state.get("selection")) choose();
  return map;
}

const has = (bits, row) => (bits[row >> 3] >> (row & 7)) & 1;

function bitsOf(rows, n) {
  const bits = new Uint8Array(Math.ceil(n / 8));
  for (const row of rows) bits[row >> 3] |= 1 << (row & 7);
  return bits;
}

function count(bits) {
  let total = 0;
  for (let byte of bits) for (; byte; byte &= byte - 1) total += 1;
  return total;
}
