/**
 * Colors of points, readable for people who see colors differently.
 *
 * Conventions: a tone is what a point's color is looked up by, 0 to 255: 0 has no value, 1 on are categories by rank
 * or a number's place between its 1st and 99th percentile.
 * Source: after Paul Tol's qualitative schemes of 12 colors and "light"; viridis.
 */

import { css, isDark } from "./dom.js";

const LIGHT = "332288 cc6677 117733 88ccee aa4499 999933 882255 44aa99 ddcc77 6699cc 661100 aa4466";
const DARK = "77aadd ee8866 44bb99 ffaabb eedd88 bbcc33 99ddff cc99bb aaaa00 9999ff dd6655 ffccee";
const VIRIDIS = ["#440154", "#46327e", "#365c8d", "#277f8e", "#1fa187", "#4ac16d", "#a0da39", "#fde725"];
export const N_CATEGORIES = 12;
export const NO_TONE = 0;

/** @returns {string[]} the categories' colors, most frequent first */
export const categoryColors = () => (isDark() ? DARK : LIGHT).split(" ").map((color) => `#${color}`);
/** The color of what has no value, or is not among the most frequent. */
export const otherColor = () => css("--soft");

/** The color of a number at `share` of the scale, 0 to 1: the higher, the further from the page's own brightness. */
export const scaleColor = (share) => viridis(isDark() ? 0.12 + 0.88 * share : 0.9 - 0.9 * share);

/** @param {number} share 0 (dark) to 1 (bright) @returns {number[]} red, green, blue */
export function viridis(share) {
  const at = share * (VIRIDIS.length - 1);
  const low = Math.min(Math.floor(at), VIRIDIS.length - 2);
  const [from, to] = [rgb(VIRIDIS[low]), rgb(VIRIDIS[low + 1])];
  return from.map((value, channel) => Math.round(value + (to[channel] - value) * (at - low)));
}

/** "#rrggbb" as numbers. @returns {number[]} */
export const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

/**
 * The color of each tone. @param {"category"|"number"} kind @param {boolean} repeat colors again for rare categories
 * @returns {Uint8Array} shape (256 * 4)
 */
export function toneTable(kind, repeat = false) {
  const table = new Uint8Array(1024);
  const other = rgb(otherColor());
  const colors = categoryColors();
  for (let tone = 0; tone < 256; tone += 1) {
    let color = other;
    if (tone > 0 && kind === "number") color = scaleColor((tone - 1) / 254);
    else if (tone > 0 && (repeat || tone <= colors.length)) color = rgb(colors[(tone - 1) % colors.length]);
    table.set([...color, 255], tone * 4);
  }
  return table;
}
