/** The frame of the page: the bar on top, the map, the panels beside or below it, the player at the bottom. */

import { button, h } from "./panels/elements.js";

const SHOWN_MS = 9000;

/** @param {HTMLElement} root @param {any} app @param {{help: HTMLDialogElement}} dialogs */
export function layOut(root, app, { help }) {
  const live = h("p", { class: "hidden-text", "aria-live": "polite" });
  const fault = h("p", { class: "fault", role: "alert", hidden: true });
  const note = h("p", { class: "note", role: "status", hidden: true });
  const search = h("div", { class: "search", role: "search" });
  const tools = h("div", { class: "tools", role: "toolbar", "aria-label": "Map" });
  const map = h("section", { class: "map", "aria-label": "Map" }, tools, h("div", { class: "messages" }, note, fault));
  const panels = h("aside", { class: "panels", "aria-label": "Panels" });
  const player = h("section", { class: "player", "aria-label": "Player" });
  const file = button("Drop or choose a file", () => {}, {
    class: "file-button",
    title: "Embed an audio file and place it on the map",
  });
  const { info } = app;
  const size = h(
    "p",
    { class: "size" },
    `${info.n.toLocaleString("en")} tracks`,
    h("small", {}, `${info.index} · ${info.map}`),
  );
  const top = h(
    "header",
    {},
    h("h1", {}, "audioae ", h("span", {}, "explorer")),
    search,
    file,
    size,
    button("?", () => help.showModal(), { class: "round quiet", "aria-label": "Keys" }),
  );
  const lasso = button("Lasso", () => app.map.lasso(!app.map.view.lassoing), {
    "aria-pressed": "false",
    "aria-keyshortcuts": "l",
  });
  tools.append(
    button("+", () => app.map.view.zoom(1.5), { "aria-label": "Zoom in" }),
    button("−", () => app.map.view.zoom(1 / 1.5), { "aria-label": "Zoom out" }),
    button("Whole map", () => app.map.view.fit(), { "aria-keyshortcuts": "0" }),
    lasso,
  );
  app.events.on("lassoing", (on) => lasso.setAttribute("aria-pressed", String(on)));
  root.replaceChildren(top, map, panels, player, live);
  root.className = "explorer";

  let timer = 0;
  return {
    map,
    panels,
    player,
    search,
    chooseFile: (choose) => file.addEventListener("click", choose),
    /** Says something to screen readers. @param {string} text */
    say(text) {
      live.textContent = text;
    },
    /** Shows a note until another replaces it; an empty one removes it. @param {string} text */
    note(text) {
      note.textContent = text;
      note.hidden = !text;
    },
    /** Shows what went wrong, for a while. @param {Error} error */
    fail(error) {
      clearTimeout(timer);
      fault.textContent = error.message;
      fault.hidden = false;
      timer = setTimeout(() => {
        fault.hidden = true;
      }, SHOWN_MS);
    },
  };
}

/** The page when there is nothing to show: why, and what to do. */
export function showFault(root, error) {
  const title = error.kind === "not-mapped" ? "This store has no map yet" : "The explorer cannot start";
  root.replaceChildren(
    h("section", { class: "starting", role: "alert" }, h("h1", {}, title), h("p", {}, error.message)),
  );
  document.body.dataset.ready = "";
}
