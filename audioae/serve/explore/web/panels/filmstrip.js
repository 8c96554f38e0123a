/** Decoded mels one at a time, under a slider. */

import { h } from "./elements.js";
import { statusLine } from "./frame.js";
import { hearMel } from "./hear.js";
import { bytesOf, drawMel, melCanvas } from "./mel_canvas.js";

/**
 * @param {any} app
 * @param {{label: string, axis: (value: number, answer: any) => string}} options `axis`: what a value of the answer means
 */
export function filmstrip(app, { label, axis }) {
  let frames = [];
  let answer = null;
  let asked = null;
  const status = h("p", { class: "status", role: "status" });
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
    words.textContent = axis(answer.values[place], answer);
    slider.setAttribute("aria-valuetext", words.textContent);
  }

  return {
    element: h("div", {}, status, picture),
    /** Decode and show; the slider starts at the track's own value, or in the middle. */
    async show(request) {
      const decoded = await line.job("Decoding …", () => app.api.post("v1/latent:decode", request));
      if (!decoded) return;
      answer = decoded;
      asked = request;
      frames = answer.frames.map(bytesOf);
      slider.max = String(frames.length - 1);
      slider.value = String(nearest(answer.values, answer.track_value ?? answer.values[frames.length >> 1]));
      picture.hidden = false;
      draw();
    },
  };
}

/** The place of the value that is nearest to `wanted`. */
function nearest(values, wanted) {
  const away = values.map((value) => Math.abs(value - wanted));
  return away.indexOf(Math.min(...away));
}
