/** What the comparison shows of groups and of single tracks. */

import { button, h, nameOf, percent } from "./elements.js";
import { playableList } from "./playable.js";

/** A row per label or region: how much of its neighborhoods stayed; the one that changed most first. */
export function groupTable(title, groups, k) {
  if (!groups.length) return null;
  const rows = groups.map((group) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, group.name),
      h("td", {}, group.n.toLocaleString("en-US")),
      h("td", {}, group.overlap === null ? "" : percent(group.overlap), range(group)),
      h("td", {}, shares(group)),
    ),
  );
  const head = ["", "tracks", `overlap@${k}`, `same ${title.toLowerCase().slice(0, -1)} among neighbors`];
  return h(
    "section",
    {},
    h("h3", {}, title),
    h(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-label": `${title}, the most changed first` },
      h(
        "table",
        { class: "plain" },
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            head.map((text) => h("th", { scope: "col" }, text)),
          ),
        ),
        h("tbody", {}, rows),
      ),
    ),
  );
}

const range = ({ low, high }) =>
  low !== null && h("small", {}, ` ${percent(Math.max(low, 0))} to ${percent(Math.min(high, 1))}`);

const shares = ({ same_a: a, same_b: b }) => (a === null || b === null ? "" : `${percent(a)} → ${percent(b)}`);

/** The tracks that keep the fewest neighbors, with their neighbors before and after. */
export function changedTracks(changed, app) {
  const items = changed.map((track) =>
    h(
      "details",
      {},
      h("summary", {}, `${nameOf(track)}: ${percent(track.overlap)} kept`),
      h(
        "p",
        { class: "controls" },
        button("Show on the map", () => select(app, track.track_id)),
      ),
      h("h4", {}, "Neighbors before"),
      playableList(app, track.before.map(withNote)),
      h("h4", {}, "Neighbors after"),
      playableList(app, track.after.map(withNote)),
    ),
  );
  return h("section", { class: "changed" }, h("h3", {}, "Tracks that changed most"), items);
}

const withNote = (track) => ({ ...track, note: track.kept ? "stayed" : "" });

async function select(app, trackId) {
  const [row] = await app.tracks.rows([trackId]);
  if (row === null) return app.say("This track is not on the map.");
  app.state.set({ selected: row });
  app.map.flyTo([row]);
}
