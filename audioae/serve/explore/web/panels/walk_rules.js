/** The rules of a walk as a form: length, artists, tempo, energy, transitions. */

import { field, h, select } from "./elements.js";

/** @param {() => void} changed */
export function rulesForm(changed) {
  const number = (value, attributes) => h("input", { type: "number", value, onchange: changed, ...attributes });
  const check = (text) => {
    const box = h("input", { type: "checkbox", onchange: changed });
    return { box, element: h("label", { class: "check-row" }, box, ` ${text}`) };
  };
  const n = number(25, { min: 2, max: 500 });
  const minutes = number(60, { min: 1, max: 10080 });
  const unit = select(
    [
      ["n", "tracks"],
      ["minutes", "minutes"],
    ],
    "n",
    () => {
      n.hidden = unit.value !== "n";
      minutes.hidden = !n.hidden;
      changed();
    },
    { "aria-label": "Unit of the length" },
  );
  minutes.hidden = true;
  const window = number(3, { min: 1, max: 500 });
  const perArtist = number(3, { min: 1, max: 500, placeholder: "any" });
  const tempoStep = number("", { min: 0.1, step: "any", placeholder: "any" });
  const energyStep = number("", { min: 0.1, step: "any", placeholder: "any" });
  const [tempoOneWay, energyOneWay] = [check("tempo only towards the next waypoint's"), check("energy likewise")];
  const seamless = h("input", { type: "range", min: 0, max: 3, step: 0.25, value: 0, onchange: changed });
  const seed = number("", { min: 0, placeholder: "none" });
  const path = select(
    [
      ["spherical", "along the sphere"],
      ["linear", "straight"],
    ],
    "spherical",
    changed,
  );
  const [useFilters, strict] = [
    check("only tracks that pass the page's filters"),
    check("fail rather than relax a rule"),
  ];
  useFilters.box.checked = true;

  const details = h(
    "details",
    { class: "rules" },
    h("summary", {}, "Rules"),
    h(
      "div",
      { class: "rules-grid" },
      field("No artist twice within (tracks)", window),
      field("Tracks of one artist, at most", perArtist),
      field("Tempo steps up to (BPM)", tempoStep),
      field("Energy steps up to (dB)", energyStep),
      field("Weight of seamless transitions", seamless),
      field("Path", path),
      field("Variant (any number)", seed),
    ),
    ...[tempoOneWay, energyOneWay, useFilters, strict].map((one) => one.element),
  );
  const optional = (input) => (input.value === "" ? null : Number(input.value));

  return {
    elements: [field("Length", h("span", {}, n, minutes, " ", unit)), details],
    /** As `POST /v1/playlist` takes them, and whether to use the page's filters. */
    values: () => ({
      ...(unit.value === "n" ? { n: Number(n.value) } : { duration_s: 60 * Number(minutes.value) }),
      path: path.value,
      artist_window: Number(window.value) || 1,
      max_per_artist: optional(perArtist),
      tempo: { monotone: tempoOneWay.box.checked, max_step: optional(tempoStep) },
      energy: { monotone: energyOneWay.box.checked, max_step: optional(energyStep) },
      seamless: Number(seamless.value),
      seed: optional(seed),
      strict: strict.box.checked,
      useFilters: useFilters.box.checked,
    }),
    /** One track fewer. */
    shorten() {
      n.value = String(Math.max(2, Number(n.value) - 1));
    },
  };
}
