/** Decoded mels one at a time, under a slider. */

import { h } from "./elements.js";
import { statusLine } from "./frame.js";
import { hearMel } from "./hear.js";
import { bytesOf, drawMel, melCanvas } from "./mel_canvas.js";

/**
 * @param {any} app
 * @param {{label: string, axis: (place: number) => string}} options `axis`: what the place on the slider means
 */
export function filmstrip(app, { label, axis }) {
  let frames = [];
  let asked = null;
  const status = h("p", { class: "status", role: "status", hidden: true });
  const line = statusLine(status);
  const canvas = melCanvas(label);
  const words = h("output", {});
  const slider = h("input", { type: "range", min: 0, max: 0, value: "0", "aria-label": label, oninput: draw });
  const picture = h(
    "div",
    { class: "filmstrip", hidden: true },
    canvas,
    h("p", { class: "slider" }, slider, " ", words),
    hearMel(app, () => ({ ...asked, frame: Number(slider.value) }), h("span", { class: "status", role: "status" })),
  );

  function draw() {
    const place = Number(slider.value);
    drawMel(canvas, frames[place]);
    words.textContent = axis(place);
    slider.setAttribute("aria-valuetext", axis(place));
  }

  return {
    element: h("div", {}, status, picture),
    /** Decode and show; the slider starts in the middle. */
    async show(request) {
      const answer = await line.job("Decoding …", () => app.api.post("v1/latent:decode", request));
      if (!answer) return;
      asked = request;
      frames = answer.frames.map(bytesOf);
      slider.max = String(frames.length - 1);
      slider.value = String(Math.floor((frames.length - 1) / 2));
      picture.hidden = false;
      draw();
    },
  };
}
