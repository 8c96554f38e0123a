/** The search box: titles, artists, track_ids, and labels to filter by. The newest question wins. */

import { debounce } from "./dom.js";
import { named } from "./columns.js";
import { h } from "./panels/elements.js";

const WAIT_MS = 180;
const LIMIT = 100;
const MOST_LABELS = 5;

/** @param {any} app @returns {HTMLInputElement} */
export function searchBox(app) {
  const input = h("input", {
    type: "search",
    placeholder: "Title, artist, label, track_id",
    "aria-label": "Search tracks",
    autocomplete: "off",
    spellcheck: "false",
  });
  let asking = null;

  async function ask() {
    const text = input.value.trim();
    asking?.abort();
    asking = new AbortController();
    const { signal } = asking;
    try {
      const found = text ? await find(app, text, signal) : { text, total: 0, rows: [], labels: [], hidden: 0 };
      if (signal.aborted) return;
      app.map.highlight(found.rows, "seed");
      app.events.emit("found", found);
      if (text) app.state.set({ panel: "find" });
    } catch (error) {
      if (error.name !== "AbortError") app.fail(error);
    }
  }

  input.addEventListener("input", debounce(ask, WAIT_MS));
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") document.querySelector("#panel-find .tracks .go")?.focus();
    if (event.key === "Escape") input.blur();
  });
  return input;
}

async function find(app, text, signal) {
  const query = new URLSearchParams({ query: text, limit: String(LIMIT) });
  const [page, labels] = await Promise.all([app.api.get(`v1/tracks?${query}`, { signal }), matchingLabels(app, text)]);
  const all = await app.tracks.rows(page.tracks.map((track) => track.track_id));
  const rows = all.filter((row) => row !== null && app.map.passes(row));
  return { text, total: page.total, rows, labels, hidden: all.filter((row) => row === null).length };
}

async function matchingLabels(app, text) {
  if (!app.columns.list.some((column) => column.name === "label")) return [];
  const wanted = text.toLowerCase();
  const entries = named(await app.columns.get("label"));
  return entries.filter((entry) => entry.value.toLowerCase().includes(wanted)).slice(0, MOST_LABELS);
}
