/**
 * A file that is dropped on the page: the server embeds it, and it is placed on the map where its neighbors are.
 *
 * Conventions: its place is the mean of its neighbors' places; a neighbor counts e times as much for each 0.05 of cosine.
 */

import { h } from "./panels/elements.js";

const K = 30;
const WIDTH = 0.05;

/** @param {any} app */
export function watchDrops(app) {
  const veil = h(
    "div",
    { class: "veil", hidden: true },
    h("p", {}, "Drop an audio file: it is embedded and placed on the map."),
  );
  const chooser = h("input", { type: "file", accept: "audio/*,video/*", hidden: true, "aria-label": "Audio file" });
  document.body.append(veil, chooser);
  chooser.addEventListener("change", () => take(chooser.files[0]));
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    veil.hidden = false;
  });
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) veil.hidden = true;
  });
  document.addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    veil.hidden = true;
    take(event.dataTransfer.files[0]);
  });

  /** @param {File|null|undefined} file null removes the last one */
  async function take(file) {
    chooser.value = "";
    if (!file) {
      app.map.place(null);
      app.events.emit("file", null);
      return;
    }
    app.note(`${file.name}: embedding.`);
    try {
      const filters = app.state.get("filters");
      const answer = await app.api.upload("v1/similar:file", file, { k: K, ...(filters ? { filters } : {}) });
      const rows = await app.tracks.rows(answer.neighbors.map((one) => one.track_id));
      const neighbors = answer.neighbors
        .map((one, at) => ({ ...one, row: rows[at] }))
        .filter((one) => one.row !== null);
      app.note("");
      if (neighbors.length) {
        const at = placeOf(neighbors, app.map.points);
        app.map.place(at);
        app.map.flyTo(neighbors.slice(0, 10).map((one) => one.row));
      }
      app.state.set({ panel: "find" });
      app.events.emit("file", { file, track_id: answer.file.track_id, neighbors });
      app.say(`${file.name} is on the map; ${neighbors.length} neighbors are listed.`);
    } catch (error) {
      app.note("");
      app.fail(error);
    }
  }

  return { take, choose: () => chooser.click() };
}

function placeOf(neighbors, points) {
  const best = Math.max(...neighbors.map((one) => one.score));
  let [x, y, total] = [0, 0, 0];
  for (const { row, score } of neighbors) {
    const weight = Math.exp((score - best) / WIDTH);
    x += weight * points[2 * row];
    y += weight * points[2 * row + 1];
    total += weight;
  }
  return [x / total, y / total];
}
