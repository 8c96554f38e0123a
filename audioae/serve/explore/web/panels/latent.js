/**
 * The latent space: sweep one dimension of a track, walk from one track to another, see a grid of a plane.
 *
 * Conventions: all frames of a sweep are decoded in one request, when the track or the dimension changes. The slider
 * then only shows another frame, so it moves without lag.
 */

import { debounce, number } from "../dom.js";
import { button, count, field, h, nameOf } from "./elements.js";
import { filmstrip } from "./filmstrip.js";
import { frame } from "./frame.js";
import { latentGrid } from "./latent_grid.js";

const STEPS = 15;

export default { name: "latent", title: "Latent space", icon: "∿", mount };

function mount(element, app) {
  const view = frame(element, {
    purpose: "What the decoder makes of a track with one dimension turned, and of the places between two tracks.",
  });
  const panel = new Latent(view, app);
  app.state.on("selected", () => panel.changed());
  return {
    shown() {
      panel.isShown = true;
      panel.start();
    },
    hidden() {
      panel.isShown = false;
    },
  };
}

class Latent {
  constructor(view, app) {
    Object.assign(this, { view, app, isShown: false, track: null, ends: [null, null], started: false });
    this.sweep = filmstrip(app, {
      label: "Sweep",
      axis: (value, answer) => `${number(value)} (the track: ${number(answer.track_value)})`,
    });
    this.between = filmstrip(app, {
      label: "Interpolation",
      axis: (share) => `${Math.round(100 * share)} % of the way`,
    });
    this.dimension = h("input", {
      type: "number",
      value: "0",
      min: 0,
      max: 127,
      onchange: debounce(() => this.drawSweep(), 100),
    });
    this.subject = h("p", { class: "subject" });
    this.endNames = [h("span", {}), h("span", {})];
    this.grid = h("section", { hidden: true });
    view.body.append(
      h(
        "section",
        {},
        h("h3", {}, "Sweep one dimension"),
        this.subject,
        field("Dimension", this.dimension),
        this.sweep.element,
      ),
      h(
        "section",
        {},
        h("h3", {}, "Between two tracks"),
        h(
          "p",
          { class: "controls" },
          button("Start here", () => this.setEnd(0)),
          this.endNames[0],
        ),
        h(
          "p",
          { class: "controls" },
          button("End here", () => this.setEnd(1)),
          this.endNames[1],
        ),
        this.between.element,
      ),
      this.grid,
    );
  }

  async start() {
    this.changed();
    if (this.started) return;
    this.started = true;
    const map = await this.app.api.get("v1/map").catch(() => null);
    if (map?.two_dimensional_vae) latentGrid(this.grid, this.app);
  }

  async changed() {
    if (!this.isShown) return;
    const row = this.app.state.get("selected");
    if (row === null || row === undefined) {
      this.subject.textContent = "Select a track on the map.";
      return;
    }
    const [track] = await this.app.tracks.get([row]);
    if (track.track_id === this.track?.track_id || row !== this.app.state.get("selected")) return;
    this.track = track;
    this.subject.textContent = nameOf(track);
    await this.drawSweep();
  }

  async drawSweep() {
    if (!this.track) return;
    const dimension = Number(this.dimension.value);
    await this.sweep.show({ track_id: this.track.track_id, dimension, steps: STEPS });
  }

  async setEnd(end) {
    if (!this.track) return this.app.say("Select a track on the map first.");
    this.ends[end] = this.track;
    this.endNames[end].textContent = nameOf(this.track);
    const [from, to] = this.ends;
    if (from && to) await this.between.show({ from: from.track_id, to: to.track_id, steps: STEPS });
    else this.app.say(`${count(1, "track")} chosen; now the other end.`);
  }
}
