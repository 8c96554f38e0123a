/**
 * A list of tracks: what the map shows, for the keyboard and for screen readers. Up and down move, Enter or a click
 * plays; each row can become a seed, a negative seed or a waypoint.
 */

import { button, h } from "./panels/elements.js";
import { subtitleOf, titleOf } from "./tracks.js";

const PAGE = 100;

/**
 * @param {any} app
 * @param {HTMLElement} element its children are replaced
 * @param {number[]} rows
 * @param {{columns?: {name: string, title?: string, value: (meta: any, at: number) => any}[], onActivate?: (row: number, meta: any, at: number) => void, label?: string, empty?: string}} [options]
 */
export async function trackList(
  app,
  element,
  rows,
  { columns = [], onActivate, label = "Tracks", empty = "No tracks." } = {},
) {
  const list = h("ol", { class: "tracks", "aria-label": label });
  const more = button("", () => show(list.children.length + PAGE), { class: "more", hidden: true });
  const turn = (element.turn = (element.turn ?? 0) + 1);
  const activate = onActivate ?? ((row) => app.actions.choose(row, { play: true, fly: true }));
  list.addEventListener("keydown", (event) => arrows(list, event));
  list.addEventListener("pointerleave", () => app.state.set({ hovered: null }));
  await show(PAGE);
  if (element.turn === turn) element.replaceChildren(rows.length ? list : h("p", { class: "empty" }, empty), more);

  async function show(until) {
    const from = list.children.length;
    const part = rows.slice(from, until);
    const metas = await app.tracks.get(part);
    list.append(...part.map((row, nth) => item(app, row, metas[nth], from + nth, columns, activate)));
    const left = rows.length - list.children.length;
    more.hidden = left <= 0;
    more.textContent = `Show ${Math.min(PAGE, left)} more of ${left.toLocaleString("en")}`;
  }
}

function item(app, row, meta, at, columns, activate) {
  if (!meta) return h("li", { class: "gone" }, "not on this map");
  const main = h(
    "button",
    { type: "button", class: "go", onclick: () => activate(row, meta, at) },
    h("b", {}, titleOf(meta)),
    h("span", {}, subtitleOf(meta)),
  );
  const cells = columns.map((column) =>
    h("span", { class: `cell ${column.name}`, title: column.title }, column.value(meta, at) ?? ""),
  );
  const act = (name, sign, words) =>
    button(sign, () => app.actions.toggle(name, row), {
      class: "small",
      title: words,
      "aria-label": `${titleOf(meta)}: ${words}`,
    });
  const actions = h(
    "span",
    { class: "actions" },
    act("seeds", "+", "seed: more like this"),
    act("minus", "−", "negative seed: less like this"),
    act("waypoints", "⚑", "waypoint"),
  );
  const hovered = () => app.state.set({ hovered: row });
  return h("li", { "data-row": row, onpointerenter: hovered, onfocusin: hovered }, main, ...cells, actions);
}

function arrows(list, event) {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!by) return;
  const items = [...list.querySelectorAll("button.go")];
  const at = items.indexOf(event.target.closest("li")?.querySelector("button.go"));
  items[Math.max(0, Math.min(items.length - 1, at + by))]?.focus();
  event.preventDefault();
  event.stopPropagation();
}
