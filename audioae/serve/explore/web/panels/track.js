/** The selected track: who it is, what sounds most like it, and the seeds that steer the neighbors. */

import { button, clock, h } from "./elements.js";
import { frame } from "./frame.js";

const K = 30;

export default { name: "track", title: "Track", icon: "♪", mount };

function mount(element, app) {
  const view = frame(element, {
    purpose: "The selected track and what sounds most like it. Click a track to hear it.",
  });
  const head = h("div", { class: "track-head" });
  const seeds = h("div", { class: "seeds" });
  const list = h("div", {});
  view.body.append(head, seeds, h("h3", {}, "Neighbors"), list);
  let visible = false;
  let stale = true;

  async function update() {
    stale = true;
    if (!visible) return;
    stale = false;
    const row = app.state.get("selected");
    showSeeds(app, seeds);
    if (row === null && !app.state.get("seeds").length) {
      head.replaceChildren(h("p", {}, "Nothing is selected: click a point on the map, or search."));
      list.replaceChildren();
      return;
    }
    await view.job("Looking for neighbors.", async () => {
      const [meta] = row === null ? [null] : await app.tracks.get([row]);
      head.replaceChildren(...(meta ? about(app, meta) : []));
      const neighbors = await app.actions.neighbors(row, K);
      const scores = neighbors.map((one) => one.score.toFixed(2));
      const columns = [{ name: "score", title: "cosine similarity", value: (_, at) => scores[at] }];
      await app.list(
        list,
        neighbors.map((one) => one.row),
        { columns, label: "Neighbors", empty: "No track passes the filters." },
      );
    });
  }

  app.state.on("selected seeds minus filters", update);
  return {
    shown() {
      visible = true;
      if (stale) update();
    },
    hidden() {
      visible = false;
    },
  };
}

function about(app, meta) {
  const facts = [
    ["Artist", meta.artist],
    ["Album", meta.album],
    ["Label", meta.label],
    ["Year", meta.year],
    ["Length", meta.duration_s ? clock(meta.duration_s) : null],
    ["Region", meta.region],
    ["Finding", meta.finding],
    ["track_id", meta.track_id],
  ].filter(([, value]) => value !== null && value !== undefined && value !== "");
  return [
    h("h2", {}, meta.title || meta.track_id),
    h("dl", { class: "facts" }, ...facts.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
    h(
      "p",
      { class: "buttons" },
      button("▶ Play", () => app.actions.choose(meta.row, { play: true })),
      button("Show", () => app.map.flyTo([meta.row])),
      button("Waypoint", () => app.actions.toggle("waypoints", meta.row)),
    ),
  ];
}

/** The seeds and negative seeds, each with a button that removes it. */
async function showSeeds(app, element) {
  const groups = [
    ["seeds", "More like"],
    ["minus", "Less like"],
  ];
  const parts = [];
  for (const [name, words] of groups) {
    const rows = app.state.get(name);
    if (!rows.length) continue;
    const metas = await app.tracks.get(rows);
    const chips = metas.map((meta, at) =>
      button(`${meta?.title || meta?.track_id} ×`, () => app.actions.toggle(name, rows[at]), {
        class: `chip ${name}`,
        "aria-label": `${words}: remove ${meta?.title || meta?.track_id}`,
      }),
    );
    parts.push(h("p", {}, `${words} `, ...chips));
  }
  element.replaceChildren(...parts);
}
