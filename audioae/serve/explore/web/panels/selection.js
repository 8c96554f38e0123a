/** What a lasso on the map holds: how many, who, what sets it apart, and the ways out. */

import { number } from "../dom.js";
import { bars } from "./bars.js";
import { button, count, field, h, percent } from "./elements.js";
import { csv, save } from "./download.js";
import { frame } from "./frame.js";

const LISTED = 12; // bars in a group
const SEEDS = 10; // tracks that stand for the selection
const MOST_IN_FILTER = 10_000;

export default { name: "selection", title: "Selection", icon: "◌", mount };

function mount(element, app) {
  const view = frame(element, {
    purpose: "Draw a lasso around points: what is in it, what sets it apart, and where it may go.",
    keys: [],
  });
  const panel = new Selection(view, app);
  app.state.on("selection", () => panel.changed());
  app.state.on("filters", () => panel.changed());
  return {
    shown() {
      panel.isShown = true;
      panel.draw();
    },
    hidden() {
      panel.isShown = false;
    },
  };
}

class Selection {
  constructor(view, app) {
    Object.assign(this, { view, app, isShown: false, drawn: null });
  }

  changed() {
    if (this.isShown) this.draw();
  }

  /** What the server is asked about; null without a selection. */
  get asked() {
    const selection = this.app.state.get("selection");
    if (!selection) return null;
    const filters = this.app.state.get("filters");
    return filters && Object.keys(filters).length ? { ...selection, filters } : selection;
  }

  async draw() {
    const asked = this.asked;
    const key = JSON.stringify(asked);
    if (key === this.drawn) return;
    this.drawn = key;
    if (!asked) {
      this.view.drop();
      return this.view.body.replaceChildren(
        h(
          "p",
          { class: "empty" },
          "Nothing is selected. Hold Shift and draw around points on the map, or press L and draw.",
        ),
      );
    }
    const answer = await this.view.job("Counting …", () => this.app.api.post("v1/map/selection", asked));
    if (answer) this.show(answer);
    else if (key === this.drawn) this.drawn = null;
  }

  show(answer) {
    const { view } = this;
    if (!answer.n)
      return view.body.replaceChildren(
        h("p", { class: "empty" }, "No track is inside. Draw again, or loosen the filters."),
      );
    this.app.say(`${count(answer.n, "track")} selected.`);
    const parts = [
      h("p", { class: "total" }, h("b", {}, count(answer.n, "track")), " selected"),
      this.ways(answer),
      h("section", {}, h("h3", {}, "What sets it apart"), features(answer.features)),
      shares("Labels", answer.labels),
      shares("Artists", answer.artists),
      shares("Regions", answer.regions),
      this.tracks("Typical tracks", answer.typical),
      this.tracks("Odd tracks", answer.odd),
      this.suggestion(answer),
    ];
    view.body.replaceChildren(...parts.filter(Boolean));
  }

  tracks(title, rows) {
    const list = h("div", { class: "rows" });
    this.app.list(list, rows, {});
    return h("section", {}, h("h3", {}, title), list);
  }

  ways(answer) {
    return h(
      "p",
      { class: "controls" },
      button("CSV", () => this.file("csv", "selection.csv", "text/csv")),
      button("M3U8", () => this.file("m3u8", "selection.m3u8", "audio/x-mpegurl")),
      button("Search from it", () =>
        this.app.state.set({ selected: null, seeds: answer.typical.slice(0, SEEDS), panel: "track" }),
      ),
      button("Walk through it", () => this.app.state.set({ waypoints: this.ends(answer.typical), panel: "walk" }), {
        disabled: answer.typical.length < 2,
      }),
      button("Keep only these", () => this.asFilter(answer)),
      button("Clear", () => this.app.state.set({ selection: null })),
    );
  }

  /** The two typical tracks that lie farthest apart on the map, in the order of the list. */
  ends(rows) {
    const points = this.app.map.points;
    let [best, most] = [[rows[0], rows[rows.length - 1]], -1];
    for (const a of rows) {
      for (const b of rows) {
        const distance = Math.hypot(points[2 * a] - points[2 * b], points[2 * a + 1] - points[2 * b + 1]);
        if (a < b && distance > most) [best, most] = [[a, b], distance];
      }
    }
    return best;
  }

  async file(form, name, type) {
    const bytes = await this.view.job(`Writing ${name} …`, () =>
      this.app.api.binary(`v1/map/selection:${form}`, { body: this.asked }),
    );
    if (bytes) save(new Blob([bytes], { type }), name);
  }

  async trackIds() {
    return (await this.app.api.post("v1/map/selection:ids", this.asked)).track_ids;
  }

  async asFilter({ n }) {
    if (n > MOST_IN_FILTER) {
      return this.view.note(`A filter holds ${count(MOST_IN_FILTER, "track")} at most; draw a smaller area.`);
    }
    const ids = await this.view.job("Reading the tracks …", () => this.trackIds());
    if (!ids) return;
    this.app.state.set({ filters: { ...this.app.state.get("filters"), allow_ids: ids }, selection: null });
    this.app.say(`The map and the lists show ${count(ids.length, "track")} only.`);
  }

  suggestion(answer) {
    const first = answer.suggestion;
    const input = h("input", { value: first?.label || "", maxlength: 200, required: true, "aria-label": "Label" });
    const go = async () => {
      const label = input.value.trim();
      if (!label) return this.view.note("Write the label first.");
      const ids = await this.view.job("Reading the tracks …", () => this.trackIds());
      if (ids)
        save(
          csv(
            ["track_id", "label"],
            ids.map((track_id) => ({ track_id, label })),
          ),
          "labels.csv",
          "text/csv",
        );
    };
    const why = first
      ? `${percent(first.share)} of these tracks have it already.`
      : "No label is common to most of them.";
    return h(
      "section",
      {},
      h("h3", {}, "Suggest a label"),
      h("p", {}, why, " The CSV is for your tagger; the catalog stays as it is."),
      h("p", { class: "controls" }, field("Label", input), button("Download labels (CSV)", go)),
    );
  }
}

function shares(title, rows) {
  if (!rows.length) return null;
  const items = rows.slice(0, LISTED).map((row) => ({
    name: row.value,
    value: row.share,
    mark: row.share / row.lift,
    text: percent(row.share),
    note: `${row.n.toLocaleString("en-US")} · ${row.lift.toFixed(1)}×`,
  }));
  const words = h("small", {}, " share · tracks · × the catalog's share");
  return h("section", {}, h("h3", {}, title, words), bars(items, { label: title }));
}

function features(rows) {
  const certain = rows.filter((row) => row.low * row.high > 0);
  if (!certain.length)
    return h("p", { class: "empty" }, "Nothing measured clearly differs from the rest of the catalog.");
  const items = certain.map((row) => ({
    name: row.title,
    value: Math.abs(row.effect),
    text: `${measured(row.value, row)}, catalog ${measured(row.catalog, row)}`,
    note: `effect ${row.effect > 0 ? "+" : "−"}${Math.abs(row.effect).toFixed(2)}`,
  }));
  return bars(items, { label: "Features by the size of their difference", stacked: true });
}

function measured(value, { kind, unit, name }) {
  if (kind === "time") return new Date(value * 86_400_000).toISOString().slice(0, 10);
  if (name === "year") return String(Math.round(value));
  return unit ? `${number(value)} ${unit}` : number(value);
}
