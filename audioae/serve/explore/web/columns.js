/**
 * The map's columns: a value for each row, their legend, and the tones that color the points.
 *
 * Conventions: codes of a category are uint16 with 65535 for none; numbers are float32 with NaN for none.
 */

import { N_CATEGORIES, NO_TONE } from "./palette.js";

const KEPT = 4;
const NONE = 65535;
const OTHER = 65534;

/** @param {any} api @param {any} info the answer of /v1/map */
export function createColumns(api, info) {
  const known = new Map();
  const added = new Map(); // columns of panels

  async function load(name) {
    const column = info.columns.find((one) => one.name === name);
    if (!column) throw new Error(`This map has no column ${name}.`);
    const path = `v1/map/columns/${encodeURIComponent(name)}`;
    const [bytes, legend] = await Promise.all([api.binary(path), api.get(`${path}/legend`)]);
    const values = column.kind === "category" ? new Uint16Array(bytes) : new Float32Array(bytes);
    return { ...column, values, legend };
  }

  return {
    list: info.columns,
    /** A column that is not the map's own, with its `values` and `legend`. */
    add: (column) => added.set(column.name, column),
    /** A column with its `values` and `legend`. */
    async get(name) {
      if (added.has(name)) return added.get(name);
      if (!known.has(name)) {
        const loading = load(name);
        loading.catch(() => known.delete(name));
        known.set(name, loading);
        if (known.size > KEPT) known.delete(known.keys().next().value);
      }
      return known.get(name);
    },
  };
}

/** The tone of each row. @returns {Uint8Array} */
export function tonesOf(column) {
  return column.kind === "category" ? categoryTones(column) : numberTones(column);
}

/** Whether rare categories repeat the colors of frequent ones: regions, which the map names. */
export const repeats = (column) => column.name === "region";

function categoryTones(column) {
  const { values } = column;
  const rank = new Uint8Array(NONE + 1);
  const most = repeats(column) ? 255 : N_CATEGORIES;
  named(column)
    .slice(0, most)
    .forEach((entry, at) => {
      rank[entry.code] = at + 1;
    });
  const tones = new Uint8Array(values.length);
  for (let row = 0; row < values.length; row += 1) tones[row] = rank[values[row]];
  return tones;
}

function numberTones({ values, legend }) {
  const tones = new Uint8Array(values.length);
  const factor = 254 / Math.max(1e-12, legend.p99 - legend.p1);
  for (let row = 0; row < values.length; row += 1) {
    const value = values[row];
    tones[row] = value === value ? 1 + Math.min(254, Math.max(0, Math.round((value - legend.p1) * factor))) : NO_TONE;
  }
  return tones;
}

/** The entries of a legend that are categories of their own, the most frequent first. */
export const named = (column) =>
  column.legend.values.filter((entry) => typeof entry.code === "number" && entry.code < OTHER);
