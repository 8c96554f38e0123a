/**
 * Horizontal bars: a name, a bar, a figure. Histograms of few bins.
 *
 * Conventions: a bar's length is its value over the largest one; the figure is text beside it, so nothing is said by
 * color or length alone.
 */

import { button, h } from "./elements.js";

/**
 * @param {{name: string, value: number, text: string, note?: string, mark?: number, onclick?: () => void}[]} rows
 *     `mark`: a tick at this value, for comparison
 * @param {{label: string, max?: number, stacked?: boolean}} options `stacked`: the bar below its name and a long figure
 */
export function bars(
  rows,
  { label, stacked = false, max = Math.max(...rows.map((row) => Math.max(row.value, row.mark || 0)), 1e-9) },
) {
  const width = (value) => `${Math.min(100, (100 * value) / max)}%`;
  const items = rows.map((row) =>
    h(
      "li",
      {},
      row.onclick
        ? button(row.name, row.onclick, { class: "bar-name" })
        : h("span", { class: "bar-name", title: row.name }, row.name),
      h(
        "span",
        { class: "bar-track", "aria-hidden": "true" },
        h("i", { style: { width: width(row.value) } }),
        row.mark !== undefined && h("b", { style: { left: width(row.mark) } }),
      ),
      h("span", { class: "bar-value" }, row.text, row.note && h("small", {}, ` ${row.note}`)),
    ),
  );
  return h("ul", { class: stacked ? "bar-list stacked" : "bar-list", "aria-label": label }, ...items);
}

/**
 * Vertical bars over equal bins, with the count above each.
 *
 * @param {{name: string, n: number}[]} bins
 * @param {{label: string, axis: string}} options
 */
export function histogram(bins, { label, axis }) {
  const most = Math.max(...bins.map((bin) => bin.n), 1);
  const items = bins.map((bin) =>
    h(
      "li",
      { "aria-label": `${bin.name}: ${bin.n}` },
      h("small", { "aria-hidden": "true" }, bin.n ? bin.n.toLocaleString("en-US") : ""),
      h("i", { style: { height: `${(100 * bin.n) / most}%` }, "aria-hidden": "true" }),
      h("span", { "aria-hidden": "true" }, bin.name),
    ),
  );
  return h("figure", { class: "histogram" }, h("ul", { "aria-label": label }, ...items), h("figcaption", {}, axis));
}
