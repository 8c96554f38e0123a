/** The tracks of a walk, with the size of each step. */

import { button, clock, h, nameOf } from "./elements.js";

/**
 * @param {any[]} entries of `v1/playlist`
 * @param {{play: (place: number) => void, look: (place: number) => void, keep: (place: number) => void,
 *     leaveOut: (place: number, how: {shorter: boolean}) => void}} walk
 */
export function walkList(entries, walk) {
  const most = Math.max(...entries.map((one) => one.step ?? 0), 1e-9);
  return h(
    "ol",
    { class: "walk-list", "aria-label": "Playlist" },
    ...entries.map((one, place) => item(one, place, most, walk)),
  );
}

function item(entry, place, most, walk) {
  const name = nameOf(entry);
  const facts = [
    entry.label,
    entry.tempo === null ? null : `${Math.round(entry.tempo)} BPM`,
    entry.energy === null ? null : `${entry.energy.toFixed(1)} dB`,
    entry.duration_s === null ? null : clock(entry.duration_s),
  ].filter(Boolean);
  return h(
    "li",
    { class: entry.waypoint ? "waypoint" : "" },
    step(entry.step, most),
    h(
      "button",
      { type: "button", class: "play", "aria-label": `Play from ${name}`, onclick: () => walk.play(place) },
      "▶",
    ),
    h(
      "button",
      { type: "button", class: "go", onclick: () => walk.look(place) },
      h("b", {}, name),
      h("small", {}, facts.join(" · ")),
    ),
    h(
      "span",
      { class: "edit" },
      !entry.waypoint && button("Keep", () => walk.keep(place), { "aria-label": `Keep ${name}: make it a waypoint` }),
      !entry.waypoint &&
        button("Swap", () => walk.leaveOut(place, { shorter: false }), {
          "aria-label": `Another track instead of ${name}`,
        }),
      button("✕", () => walk.leaveOut(place, { shorter: true }), { "aria-label": `Remove ${name}` }),
    ),
  );
}

function step(value, most) {
  if (value === null) return h("span", { class: "step" }, h("small", {}, "start"));
  const title = `cosine ${Math.cos(value).toFixed(3)}`;
  return h(
    "span",
    { class: "step", title },
    h("i", { style: { width: `${(100 * value) / most}%` }, "aria-hidden": "true" }),
    h("small", {}, `${value.toFixed(3)} rad`),
  );
}
