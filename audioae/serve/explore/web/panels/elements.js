/**
 * DOM elements from plain values: what the whole page is made with.
 *
 * Conventions: every string becomes a text node or an attribute, never markup, so that text from tags stays text.
 * Styles are set as properties of the element (`style: {"--share": "12%"}`): the page's policy forbids style attributes.
 */

const PROPERTIES = new Set(["value", "checked", "disabled", "hidden", "className", "tabIndex", "indeterminate"]);

/**
 * @param {string} tag
 * @param {Record<string, any>} [attributes] functions are listeners (`onclick`); null and false leave one out
 * @param {...(Node|string|number|null|undefined|false|any[])} children
 * @returns {any} the element
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (PROPERTIES.has(name)) element[name] = value ?? "";
    else if (value === null || value === undefined || value === false) continue;
    else if (name === "style") for (const [key, text] of Object.entries(value)) element.style.setProperty(key, text);
    else if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  const shown = children.flat().filter((child) => child !== null && child !== undefined && child !== false);
  element.append(...shown.map((child) => (child instanceof Node ? child : String(child))));
  return element;
}

/** A button; `key` is the key that does the same, shown beside its words. */
export function button(text, onclick, { key = null, ...attributes } = {}) {
  const hint = key ? [" ", h("kbd", { "aria-hidden": "true" }, key)] : [];
  return h("button", { type: "button", onclick, "aria-keyshortcuts": key, ...attributes }, text, hint);
}

/** A labeled control: `field("Tracks", input)`. */
export function field(text, control, attributes = {}) {
  return h("label", { class: "field-row", ...attributes }, h("span", {}, text), control);
}

/** A select of `[value, text]` pairs. */
export function select(pairs, value, onchange, attributes = {}) {
  const options = pairs.map(([one, text]) => h("option", { value: one }, text));
  const control = h("select", { onchange: () => onchange(control.value), ...attributes }, options);
  control.value = value;
  return control;
}

/** "Under the Balcony – The Broken Herons". */
export function nameOf(track) {
  const title = track.title || track.track_id;
  return track.artist ? `${title} – ${track.artist}` : title;
}

/** Minutes and seconds: 3:07, with hours where there are some. */
export function clock(seconds) {
  if (!Number.isFinite(seconds)) return "";
  const whole = Math.max(0, Math.round(seconds));
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const rest = String(whole % 60).padStart(2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

export const count = (n, noun) => `${n.toLocaleString("en-US")} ${noun}${n === 1 ? "" : "s"}`;
export const percent = (share) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
