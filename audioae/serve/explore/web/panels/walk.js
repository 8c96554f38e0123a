/**
 * A playlist that walks over the map, from waypoint to waypoint.
 *
 * Conventions: the panel only chooses what `POST /v1/playlist` takes, so what is on the screen can be asked for again.
 * A track that is swapped or removed is left out by `deny_ids`; one that is kept becomes a waypoint.
 */

import { button, clock, count, h, nameOf } from "./elements.js";
import { save } from "./download.js";
import { frame } from "./frame.js";
import { rulesForm } from "./walk_rules.js";
import { walkList } from "./walk_list.js";

const AFTER_MS = 250;
const FORMS = { M3U8: "audio/x-mpegurl", CSV: "text/csv", JSON: "application/json" };

export default { name: "walk", title: "Walk", icon: "⚑", early: true, mount };

function mount(element, app) {
  const view = frame(element, {
    purpose: "Choose two or more tracks; a playlist walks from one to the next in small steps.",
    keys: [["w", "add the selected track"]],
  });
  const walk = new Walk(view, app);
  app.state.on("waypoints", () => walk.changed());
  app.state.on("filters", () => walk.later());
  app.state.on("selected", () => walk.clicked());
  document.addEventListener("keydown", (event) => {
    if (event.key === "w" && !event.ctrlKey && !event.metaKey && !event.target.closest?.("input, textarea, select"))
      walk.add();
  });
  return {
    shown() {
      walk.isShown = true;
      walk.changed();
    },
    hidden() {
      walk.isShown = false;
      app.map.path([]);
    },
  };
}

class Walk {
  constructor(view, app) {
    Object.assign(this, { view, app, isShown: false, denied: [], document: null, asked: null, timer: 0 });
    this.rules = rulesForm(() => {
      this.denied = [];
      this.later();
    });
    this.byClick = h("input", { type: "checkbox" });
    this.points = h("ol", { class: "waypoints", "aria-label": "Waypoints" });
    this.result = h("div", { class: "walk-result" });
    view.body.append(
      h(
        "p",
        { class: "controls" },
        button("Add the selected track", () => this.add(), { key: "w" }),
        button("Clear", () => this.set([])),
        h("label", { class: "check-row" }, this.byClick, " a click on the map adds"),
      ),
      this.points,
      ...this.rules.elements,
      this.result,
    );
  }

  get waypoints() {
    return this.app.state.get("waypoints") || [];
  }

  set(waypoints) {
    this.denied = [];
    this.app.state.set({ waypoints });
  }

  add(row = this.app.state.get("selected")) {
    if (row === null || row === undefined) return this.app.say("Select a track on the map first.");
    if (this.waypoints.includes(row)) return this.app.say("This track is a waypoint already.");
    this.set([...this.waypoints, row]);
    this.app.say(`${count(this.waypoints.length, "waypoint")}.`);
  }

  clicked() {
    if (this.isShown && this.byClick.checked && !this.waypoints.includes(this.app.state.get("selected"))) this.add();
  }

  /** Other waypoints: they are shown at once, the playlist a moment later. */
  changed() {
    if (!this.isShown) return;
    this.showWaypoints().catch(this.app.fail);
    if (this.waypoints.length < 2) this.draw();
    else this.later();
  }

  /** Ask again soon: a slider that moves asks once. */
  later() {
    if (!this.isShown) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.draw(), AFTER_MS);
  }

  async draw() {
    const rows = this.waypoints;
    const tracks = rows.length ? await this.app.tracks.get(rows) : [];
    if (rows.length < 2) {
      this.view.drop();
      this.document = null;
      this.app.map.path(rows);
      const missing = rows.length
        ? "Add one more waypoint."
        : "Select a track on the map and press w; then another one.";
      return this.result.replaceChildren(h("p", { class: "empty" }, missing));
    }
    const asked = this.request(tracks);
    const answer = await this.view.job("Looking for a path …", async () => {
      const playlist = await this.app.api.post("v1/playlist", asked);
      return { playlist, rows: await this.app.tracks.rows(playlist.entries.map((one) => one.track_id)) };
    });
    if (!answer || !this.isShown) return;
    Object.assign(this, { asked, document: answer.playlist, rows: answer.rows });
    this.app.map.path(answer.rows.filter((row) => row !== null));
    this.show();
  }

  /** What is sent to `v1/playlist`. */
  request(tracks) {
    const { useFilters, ...rules } = this.rules.values();
    const filters = { ...((useFilters && this.app.state.get("filters")) || {}) };
    const denied = [...(filters.deny_ids || []), ...this.denied];
    if (denied.length) filters.deny_ids = denied;
    const body = { waypoints: tracks.map((track) => ({ track_id: track.track_id })), ...rules };
    return Object.keys(filters).length ? { ...body, filters } : body;
  }

  /** The waypoints as they are now; buttons act on what is in the state when they are pressed. */
  async showWaypoints() {
    const rows = this.waypoints;
    const tracks = await this.app.tracks.get(rows);
    if (rows !== this.waypoints) return;
    const move = (row, by) => {
      const changed = this.waypoints.filter((one) => one !== row);
      changed.splice(this.waypoints.indexOf(row) + by, 0, row);
      this.set(changed);
    };
    const items = tracks.map((track, place) => {
      const [row, name] = [rows[place], nameOf(track)];
      return h(
        "li",
        {},
        h("span", { class: "who" }, name),
        button("↑", () => move(row, -1), { disabled: !place, "aria-label": `Earlier: ${name}` }),
        button("↓", () => move(row, 1), { disabled: place === rows.length - 1, "aria-label": `Later: ${name}` }),
        button("✕", () => this.drop(row), { "aria-label": `Remove ${name}` }),
      );
    });
    this.points.replaceChildren(...items);
  }

  drop(row) {
    this.set(this.waypoints.filter((one) => one !== row));
  }

  show() {
    const { document: playlist } = this;
    const steps = playlist.entries.map((one) => one.step).filter((step) => step !== null);
    const mean = steps.reduce((sum, step) => sum + step, 0) / Math.max(steps.length, 1);
    const words = [...Object.values(playlist.gave_way), ...playlist.notes];
    this.result.replaceChildren(
      h(
        "p",
        { class: "total" },
        `${count(playlist.n, "track")}, ${clock(playlist.duration_s)}; mean step ${mean.toFixed(3)}, largest ${Math.max(...steps, 0).toFixed(3)} radians`,
      ),
      ...words.map((text) => h("p", { class: "left-out" }, text)),
      h(
        "p",
        { class: "controls" },
        button("Play it all", () => this.play(0)),
        ...Object.keys(FORMS).map((form) =>
          button(form, () => this.export(form), { "aria-label": `Download as ${form}` }),
        ),
      ),
      walkList(playlist.entries, this),
    );
    this.app.say(`Playlist of ${count(playlist.n, "track")}.`);
  }

  play(from) {
    this.app.player.queue(this.document.entries.slice(from).map((one) => ({ track_id: one.track_id, start_s: null })));
  }

  look(place) {
    if (this.rows[place] !== null) this.app.map.flyTo([this.rows[place]]);
  }

  /** Leave a track out; the playlist keeps its length (`swap`) or gets one shorter (`remove`). */
  leaveOut(place, { shorter }) {
    const entry = this.document.entries[place];
    if (entry.waypoint) return this.drop(this.rows[place]);
    this.denied.push(entry.track_id);
    if (shorter) this.rules.shorten();
    this.later();
  }

  /** Keep a track whatever changes: it becomes a waypoint at its place. */
  keep(place) {
    const before = this.document.entries.slice(0, place).filter((one) => one.waypoint).length;
    const waypoints = [...this.waypoints];
    waypoints.splice(before, 0, this.rows[place]);
    this.app.state.set({ waypoints });
  }

  async export(form) {
    if (form === "JSON") return save(JSON.stringify(this.document, null, 1), "walk.json", FORMS.JSON);
    const file = await this.view.job(`Writing ${form} …`, () =>
      this.app.api.binary("v1/playlist", { body: this.asked, accept: FORMS[form] }),
    );
    if (file) save(new Blob([file], { type: FORMS[form] }), `walk.${form.toLowerCase()}`);
  }
}
