/**
 * The filters as a form. Conventions: `filters` in the state is what the API takes; null if every track passes.
 */

import { debounce, number } from "./dom.js";
import { named } from "./columns.js";
import { button, h } from "./panels/elements.js";

const TEXTS = [
  ["label", "Label"],
  ["artist", "Artist"],
  ["album", "Album"],
];
const RANGES = [
  ["year", "Year", ""],
  ["duration_s", "Length", "s"],
];

/** @param {any} app */
export function filterForm(app) {
  const known = h("datalist", { id: "labels" });
  const texts = TEXTS.map(([name, title]) => [
    name,
    h("input", {
      type: "text",
      id: `filter-${name}`,
      placeholder: "several: separate by ;",
      list: name === "label" ? "labels" : null,
      autocomplete: "off",
    }),
    title,
  ]);
  const ranges = RANGES.map(([name, title, unit]) => [
    name,
    ["from", "to"].map((end) =>
      h("input", { type: "number", placeholder: end, "aria-label": `${title} ${end}${unit && `, ${unit}`}` }),
    ),
    unit ? `${title} (${unit})` : title,
  ]);
  const added = h("input", { type: "date", id: "filter-added" });
  const passing = h("output", { class: "passing" });
  const clear = button("Clear", () => app.state.set({ filters: null }), { class: "quiet" });
  const form = h(
    "form",
    { class: "filters", onsubmit: (event) => event.preventDefault() },
    ...texts.map(([name, input, title]) => h("label", { for: `filter-${name}` }, h("span", {}, title), input)),
    ...ranges.map(([, [from, to], title]) => h("fieldset", {}, h("legend", {}, title), from, to)),
    h("label", { for: "filter-added" }, h("span", {}, "Added after"), added),
    h("p", { class: "buttons" }, clear, passing),
    known,
  );
  form.addEventListener(
    "input",
    debounce(() => app.state.set({ filters: read() }), 300),
  );
  app.state.on("filters", (filters) => write(filters ?? {}));
  app.events.on("passing", (n) => {
    passing.textContent = `${number(n)} of ${number(app.map.n)} tracks pass`;
  });
  write(app.state.get("filters") ?? {});
  suggest(app, known);
  return form;

  function read() {
    const filters = { ...kept(app.state.get("filters")) };
    for (const [name, input] of texts) {
      const values = input.value
        .split(";")
        .map((one) => one.trim())
        .filter(Boolean);
      if (values.length) filters[name] = values;
    }
    for (const [name, [from, to]] of ranges) {
      const ends = {
        ...(from.value === "" ? {} : { gte: Number(from.value) }),
        ...(to.value === "" ? {} : { lte: Number(to.value) }),
      };
      if (Object.keys(ends).length) filters[name] = ends;
    }
    if (added.value) filters.added_after = `${added.value}T00:00:00Z`;
    return Object.keys(filters).length ? filters : null;
  }

  function write(filters) {
    const put = (input, value) => {
      if (document.activeElement !== input) input.value = value ?? "";
    };
    for (const [name, input] of texts) put(input, [filters[name] ?? []].flat().join("; "));
    for (const [name, [from, to]] of ranges) {
      put(from, filters[name]?.gte);
      put(to, filters[name]?.lte);
    }
    put(added, filters.added_after?.slice(0, 10));
  }
}

/** Filters that the form has no field for (lists of track_ids, from a selection) stay as they are. */
const kept = (filters) => Object.fromEntries(Object.entries(filters ?? {}).filter(([name]) => name.endsWith("_ids")));

async function suggest(app, list) {
  if (!app.columns.list.some((column) => column.name === "label")) return;
  const column = await app.columns.get("label").catch(() => null);
  if (column) list.replaceChildren(...named(column).map((entry) => h("option", { value: entry.value })));
}
