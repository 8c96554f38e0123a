/**
 * Two versions of the embeddings on the same tracks: what a retrain did to whom.
 *
 * Conventions: overlap@10 of a track is the share of its ten nearest tracks that both versions name; NaN for a track
 * that was not measured. The second map shows the same rows as the first, aligned to it; hovering and selecting are
 * linked.
 */

import { histogram } from "./bars.js";
import { changedTracks, groupTable } from "./compare_views.js";
import { button, field, h, percent, select } from "./elements.js";
import { frame } from "./frame.js";
import { secondMap } from "./second_map.js";

export default { name: "compare", title: "Compare", icon: "⇄", mount };

function mount(element, app) {
  const view = frame(element, {
    purpose: "Two versions of the embeddings on the same tracks: which neighborhoods stayed, and which changed.",
  });
  const panel = new Compare(view, app);
  return { shown: () => panel.start(), hidden: () => panel.close() };
}

class Compare {
  constructor(view, app) {
    Object.assign(this, { view, app, versions: null, map: null, drawn: "" });
    this.choice = h("p", { class: "controls" });
    this.second = h("div", { class: "second-map", hidden: true });
    this.result = h("div", { class: "compare-result" });
    view.body.append(this.choice, this.second, this.result);
  }

  async start() {
    this.isShown = true;
    if (!this.versions) {
      const answer = await this.view.job("Reading the versions …", () => this.app.api.get("v1/versions"));
      if (!answer) return;
      this.versions = answer.versions;
    }
    if (this.versions.length < 2) {
      const words = "The store has one version. Train and index again; then compare the two here.";
      return this.result.replaceChildren(h("p", { class: "empty" }, words));
    }
    this.layOut();
    await this.compare();
  }

  close() {
    this.isShown = false;
    this.map?.close();
    this.map = this.app.secondMap = null;
    this.drawn = "";
  }

  /** The two versions: what the address says, or the newest two. */
  get pair() {
    const names = this.versions.map((one) => one.ref);
    const [a, b] = (this.app.state.get("compare") || "").split(",");
    return names.includes(a) && names.includes(b) ? [a, b] : [names[1], names[0]];
  }

  layOut() {
    const [a, b] = this.pair;
    const pairs = this.versions.map((one) => [
      one.ref,
      one.published ? `${one.ref}, ${one.published.slice(0, 10)}` : one.ref,
    ]);
    const choose = () => {
      this.app.state.set({ compare: `${first.value},${second.value}` });
      this.compare();
    };
    const first = select(pairs, a, choose);
    const second = select(pairs, b, choose);
    this.choice.replaceChildren(field("Before", first), field("After", second));
  }

  async compare() {
    const [a, b] = this.pair;
    const query = new URLSearchParams({ a, b });
    if (this.drawn === String(query)) return;
    if (a === b) return this.view.note("Choose two different versions.");
    const answer = await this.view.job("Comparing; the first time takes a while …", async () => {
      const summary = await this.app.api.get(`v1/versions/compare?${query}`);
      const overlap = new Float32Array(await this.app.api.binary(`v1/versions/compare/overlap?${query}`));
      return { summary, overlap };
    });
    if (!answer) return;
    if (!this.isShown) return;
    this.drawn = String(query);
    this.overlap = answer.overlap;
    this.show(answer.summary);
    await this.showMap(a);
  }

  show(summary) {
    const { overlap, k } = summary;
    this.mean = overlap.mean;
    const bins = overlap.histogram.map((n, kept) => ({ name: String(kept), n }));
    const parts = [
      h("p", {}, h("small", {}, `The small map: ${this.pair[0]}. The large one: the version that is served.`)),
      h("p", { class: "total" }, h("b", {}, percent(overlap.mean)), ` of ${k} nearest neighbors stayed (overlap@${k})`),
      h(
        "p",
        { class: "controls" },
        button("Color the map by overlap", () => this.color()),
      ),
      h(
        "section",
        {},
        h("h3", {}, "Tracks by neighbors kept"),
        histogram(bins, { label: "Tracks by neighbors kept", axis: `of ${k} nearest neighbors, how many stayed` }),
      ),
      h("ul", { class: "sentences" }, ...summary.sentences.map((text) => h("li", {}, text))),
      groupTable("Labels", summary.labels, k),
      groupTable("Regions", summary.regions, k),
      changedTracks(summary.changed, this.app),
    ];
    this.result.replaceChildren(...parts.filter(Boolean));
  }

  color() {
    const legend = { p1: 0, p50: this.mean, p99: 1 };
    const [a, b] = this.pair;
    const [name, title] = [`overlap ${a} ${b}`, `overlap@10, ${a.slice(-4)} → ${b.slice(-4)}`];
    this.app.columns.add({ name, title, kind: "number", unit: "", values: this.overlap, legend });
    this.app.state.set({ color: name });
  }

  async showMap(index) {
    this.map?.close();
    this.second.hidden = false;
    this.map = await secondMap(this.second, this.app, index).catch((error) => {
      this.second.replaceChildren(h("p", { class: "status failed" }, error.message));
      return null;
    });
    this.app.secondMap = this.map?.view ?? null;
  }
}
