/** Search results, the filters, and the neighbors of a file of the person's own. */

import { filterForm } from "../filters.js";
import { button, count, h } from "./elements.js";
import { frame } from "./frame.js";

export default { name: "find", title: "Find", icon: "⌕", early: true, mount };

function mount(element, app) {
  const view = frame(element, { purpose: "What the search found, and which tracks the map and the lists show." });
  const heading = h("h3", {});
  const suggestions = h("div", { class: "suggestions" });
  const results = h("div", {});
  const file = h("div", { class: "file" });
  view.body.append(file, heading, suggestions, results, h("h3", {}, "Filters"), filterForm(app));

  app.events.on("found", async ({ text, total, rows, labels, hidden }) => {
    heading.textContent = text ? `${count(total, "track")} for “${text}”` : "";
    suggestions.replaceChildren(...labels.map((label) => labelButton(app, label)));
    if (!text) return results.replaceChildren();
    await app.list(results, rows, {
      label: "Search results",
      empty: "No track on the map has this title, artist or track_id.",
    });
    if (hidden) results.append(h("p", {}, `${count(hidden, "match")} not on the map (no embedding, or a duplicate).`));
    app.say(`${count(total, "track")} found.`);
    return undefined;
  });
  app.events.on("file", async (answer) => {
    if (!answer) return file.replaceChildren();
    const scores = answer.neighbors.map((one) => one.score.toFixed(2));
    const columns = [{ name: "score", title: "cosine similarity", value: (_, at) => scores[at] }];
    const list = h("div", {});
    const known = answer.track_id ? `It is a track of this catalog, byte for byte: ${answer.track_id}.` : null;
    file.replaceChildren(
      h("h3", {}, `Sounds like ${answer.file.name}`),
      known && h("p", {}, known),
      h(
        "p",
        { class: "buttons" },
        button("▶ Play the file", () => app.player.playFile(answer.file)),
        button("Remove", () => app.actions.dropFile(null)),
      ),
      list,
    );
    await app.list(
      list,
      answer.neighbors.map((one) => one.row),
      { columns, label: "Neighbors of the file" },
    );
    return undefined;
  });
  return { shown() {}, hidden() {} };
}

function labelButton(app, { value, n }) {
  const filters = { ...app.state.get("filters"), label: [value] };
  return button(`Label ${value} (${n.toLocaleString("en")})`, () => app.state.set({ filters }), { class: "chip" });
}
