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
      ...(entry.waypoint ? [] : [sign("⚑", () => walk.keep(place), "Keep it: a waypoint", name)]),
      ...(entry.waypoint
        ? []
        : [sign("⇄", () => walk.leaveOut(place, { shorter: false }), "Swap for another track", name)]),
      sign("✕", () => walk.leaveOut(place, { shorter: true }), "Remove", name),
    ),
  );
}

/** A button with a sign, and words for those who hover or listen. */
function sign(text, onclick, title, name) {
  return button(text, onclick, { title, "aria-label": `${title}: ${name}` });
}

function step(value, most) {
  if (value === null) return h("span", { class: "step" }, h("small", {}, "start"));
  const title = `cosine ${Math.cos(value).toFixed(3)}`;
  return h(
    "span",
    { class: "step", title },
    h("i", { style: { width: `calc(${value / most} * (100% - 5.5rem))` }, "aria-hidden": "true" }),
    h("small", {}, `${value.toFixed(3)} rad`),
  );
}
