/**
 * A short list of tracks, each with a button that plays it in place.
 *
 * Why not `app.list`: these lists hold a handful of tracks with a note each, and need no row on the map.
 */

import { h, nameOf } from "./elements.js";

/** @param {{track_id: string, title?: string, artist?: string, label?: string, note?: string, start_s?: number, score?: number}[]} tracks */
export function playableList(app, tracks) {
  const items = tracks.map((track) =>
    h(
      "li",
      {},
      h(
        "button",
        {
          type: "button",
          class: "play",
          "aria-label": `Play ${nameOf(track)}`,
          onclick: () => app.player.play(track.track_id, track.start_s ?? null),
        },
        "▶",
      ),
      h("span", { class: "who" }, h("b", {}, track.title || track.track_id), " ", h("span", {}, track.artist || "")),
      h("small", { class: "note" }, [track.label, track.note].filter(Boolean).join(" · ")),
      track.score !== undefined && h("small", { class: "score" }, track.score.toFixed(2)),
    ),
  );
  return h("ul", { class: "playable" }, ...items);
}
