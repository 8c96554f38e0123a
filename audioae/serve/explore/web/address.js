/**
 * The state in the page's address, after `#`, so that a view can be sent to a colleague.
 *
 * Conventions: tracks are named by track_id, because rows are another index's tomorrow. A selection of more than 200
 * rows has no place in an address; a lasso's polygon has. The key of a server never stands in it.
 */

import { debounce } from "./dom.js";

const LISTS = { seed: "seeds", minus: "minus", way: "waypoints" };
const NAMES = "selected seeds minus waypoints filters color only selection panel view compare";
const MOST_ROWS = 200;

/** What an address says, tracks still as track_ids. @param {string} hash */
export function parseAddress(hash) {
  const query = new URLSearchParams(hash.replace(/^#/, ""));
  const numbers = (text) => text.split(",").map(Number);
  const view = numbers(query.get("at") ?? "");
  const polygon = (query.get("area") ?? "")
    .split(";")
    .map(numbers)
    .filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y));
  return {
    state: {
      color: query.get("color"),
      only: query.has("only") && Number.isFinite(Number(query.get("only"))) ? Number(query.get("only")) : null,
      panel: query.get("panel"),
      compare: query.get("compare"),
      filters: parsed(query.get("filters")),
      view:
        view.length === 3 && view.every(Number.isFinite) && view[2] > 0
          ? { x: view[0], y: view[1], zoom: view[2] }
          : null,
      selection: polygon.length > 2 ? { polygon } : null,
    },
    ids: {
      selected: query.getAll("track").slice(0, 1),
      chosen: query.getAll("row"),
      ...Object.fromEntries(Object.entries(LISTS).map(([short, name]) => [name, query.getAll(short)])),
    },
  };
}

/** The rows of an address's tracks, as changes of the state; tracks that are not on the map are left out. */
export async function rowsOfAddress(ids, tracks) {
  const changes = {};
  for (const [name, list] of Object.entries(ids)) {
    const rows = (list.length ? await tracks.rows(list) : []).filter((row) => row !== null);
    if (name === "selected") changes.selected = rows[0] ?? null;
    else if (name === "chosen") rows.length && Object.assign(changes, { selection: { rows } });
    else changes[name] = rows;
  }
  return changes;
}

/** Keeps the address at what the state says. @param {any} app */
export function followState(app) {
  const write = debounce(async () => {
    const hash = await formatAddress(app);
    if (hash !== location.hash.replace(/^#/, "")) history.replaceState(null, "", `#${hash}`);
  }, 250);
  app.state.on(NAMES, write);
  write();
}

async function formatAddress({ state, tracks }) {
  const query = new URLSearchParams();
  const ids = async (rows) => (await tracks.get(rows)).filter(Boolean).map((meta) => meta.track_id);
  const selected = state.get("selected");
  if (selected !== null) for (const id of await ids([selected])) query.append("track", id);
  for (const [short, name] of Object.entries(LISTS))
    for (const id of await ids(state.get(name))) query.append(short, id);
  const selection = state.get("selection");
  if (selection?.polygon) query.set("area", selection.polygon.map((spot) => spot.map(rounded).join(",")).join(";"));
  else if (selection?.rows && selection.rows.length <= MOST_ROWS)
    for (const id of await ids(selection.rows)) query.append("row", id);
  const view = state.get("view");
  if (view) query.set("at", [view.x, view.y, view.zoom].map(rounded).join(","));
  if (state.get("filters")) query.set("filters", JSON.stringify(state.get("filters")));
  for (const name of ["color", "only", "panel", "compare"]) {
    const value = state.get(name);
    if (value !== null && value !== undefined)
      query.set(name, typeof value === "object" ? JSON.stringify(value) : String(value));
  }
  return query.toString();
}

const rounded = (value) => Number(value.toPrecision(6));

function parsed(text) {
  try {
    const value = JSON.parse(text ?? "null");
    return value !== null && typeof value === "object" && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}
