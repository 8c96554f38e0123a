/** The map's legend: what the colors mean. A category that is clicked is shown alone; again, all are. */

import { named, repeats } from "./columns.js";
import { number } from "./dom.js";
import { categoryColors, otherColor, scaleColor } from "./palette.js";
import { h } from "./panels/elements.js";

const SHOWN = 14;

export function createLegend(element, app) {
  const choice = h(
    "select",
    { id: "color-by", onchange: () => app.state.set({ color: choice.value, only: null }) },
    ...app.columns.list.map((column) => h("option", { value: column.name }, column.title)),
  );
  const body = h("div", { class: "legend-body" });
  element.append(h("label", { class: "color-by" }, h("span", {}, "Color"), choice), body);

  return {
    /** @param {any} column */
    show(column) {
      const isListed = [...choice.options].some((option) => option.value === column.name);
      if (!isListed) choice.append(h("option", { value: column.name }, column.title));
      choice.value = column.name;
      body.replaceChildren(column.kind === "category" ? categories(column, app) : scale(column));
    },
  };
}

function categories(column, app) {
  const colors = categoryColors();
  const entries = named(column);
  const items = entries.map((entry, rank) => {
    const color = rank < colors.length || repeats(column) ? colors[rank % colors.length] : otherColor();
    const pressed = app.state.get("only") === entry.code;
    const button = h(
      "button",
      {
        type: "button",
        "aria-pressed": String(pressed),
        onclick: () => app.state.set({ only: pressed ? null : entry.code }),
      },
      h("i", { class: "swatch", style: { background: color } }),
      h("span", {}, entry.value),
      h("small", {}, number(entry.n)),
    );
    return h("li", {}, button);
  });
  const rest = column.legend.values.find((entry) => !named(column).includes(entry));
  const more = items.slice(SHOWN);
  const list = h("ul", { class: "legend" }, ...items.slice(0, SHOWN));
  const parts = [list];
  if (more.length)
    parts.push(h("details", {}, h("summary", {}, `${more.length} more`), h("ul", { class: "legend" }, ...more)));
  if (rest) parts.push(h("p", { class: "rest" }, `${number(rest.n)} with other values`));
  return h("div", {}, ...parts);
}

function scale({ kind, unit, legend }) {
  const bar = h("canvas", { width: "160", height: "1", class: "scale", role: "img", "aria-label": "from low to high" });
  const context = bar.getContext("2d");
  for (let at = 0; at < 160; at += 1) {
    context.fillStyle = `rgb(${scaleColor(at / 159).join(" ")})`;
    context.fillRect(at, 0, 1, 1);
  }
  const say = kind === "time" ? day : (value) => `${number(value)}${unit ? ` ${unit}` : ""}`;
  return h(
    "div",
    {},
    bar,
    h(
      "p",
      { class: "ends" },
      h("span", {}, say(legend.p1)),
      h("span", {}, say(legend.p50)),
      h("span", {}, say(legend.p99)),
    ),
  );
}

/** Days since 1970 as a date. */
const day = (days) => (Number.isFinite(days) ? new Date(days * 86_400_000).toISOString().slice(0, 10) : "–");
