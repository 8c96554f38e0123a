/** The page's keys. A panel's own keys come first; fields keep theirs. */

import { isTyping } from "./dom.js";

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const NEIGHBORS = 60;

export const HELP = [
  ["click", "select and play"],
  ["shift + click", "negative seed: less like this"],
  ["ctrl + click", "seed: more like this"],
  ["← ↑ → ↓", "the nearest neighbor that way"],
  ["space", "play, pause"],
  ["+ / −", "zoom"],
  ["0", "the whole map"],
  ["l", "lasso"],
  ["w", "waypoint of a walk"],
  ["/", "search"],
  ["esc", "end the lasso, the selection, the sound"],
  ["?", "these keys"],
];

/** @param {any} app @param {{search: HTMLInputElement, help: HTMLDialogElement}} parts */
export function watchKeys(app, { search, help }) {
  const { map, state } = app;
  const keys = {
    " ": () =>
      app.player.toggle() ||
      (state.get("selected") !== null && app.actions.choose(state.get("selected"), { play: true })),
    "+": () => map.view.zoom(1.5),
    "=": () => map.view.zoom(1.5),
    "-": () => map.view.zoom(1 / 1.5),
    0: () => map.view.fit(),
    l: () => map.lasso(!map.view.lassoing),
    "/": () => search.focus(),
    "?": () => help.showModal(),
    Escape: () => escape(app),
  };
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return;
    const onMap = event.target === document.body || event.target === map.view.element;
    if (event.key === " " && !onMap && event.target.closest("button, summary, a, [role=tab]")) return;
    if (ARROWS[event.key] && onMap) step(app, ARROWS[event.key]);
    else if (keys[event.key]) keys[event.key]();
    else return;
    event.preventDefault();
  });
}

function escape(app) {
  if (app.map.view.lassoing) app.map.lasso(false);
  else if (app.state.get("selection")) app.state.set({ selection: null });
  else app.player.stop();
}

/** Selects and plays the neighbor, by sound, that lies in a direction on the map. */
async function step(app, [right, up]) {
  const { points, view } = app.map;
  const from = app.state.get("selected");
  if (from === null) return app.actions.choose(view.rowAt(view.width / 2, view.height / 2) ?? 0, { play: true });
  try {
    const neighbors = await app.actions.neighbors(from, NEIGHBORS);
    const ahead = neighbors.filter(({ row }) => {
      const [x, y] = [points[2 * row] - points[2 * from], points[2 * row + 1] - points[2 * from + 1]];
      const along = x * right + y * up;
      return along > 0 && along >= Math.abs(x * up - y * right); // within 45 degrees
    });
    if (ahead.length) await app.actions.choose(ahead[0].row, { play: true, fly: true });
    else app.say("No neighbor lies that way.");
  } catch (error) {
    app.fail(error);
  }
}
