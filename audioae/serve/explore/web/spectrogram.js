/** The spectrogram of the clip that plays, in color, with a line at the second that sounds. */

import { path } from "./api.js";
import { viridis } from "./palette.js";
import { h } from "./panels/elements.js";

const WIDTH = 600;
const HEIGHT = 96;

/** @param {any} app @param {(share: number) => void} seek */
export function createSpectrogram(app, seek) {
  const canvas = h("canvas", { width: String(WIDTH), height: String(HEIGHT), "aria-hidden": "true" });
  const cursor = h("i", { class: "cursor" });
  const slider = h("input", {
    type: "range",
    min: "0",
    max: "1",
    step: "0.01",
    value: "0",
    "aria-label": "Position in the clip",
  });
  slider.addEventListener("input", () => seek(Number(slider.value)));
  const element = h("div", { class: "spectrogram" }, canvas, cursor, slider);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  let turn = 0;

  return {
    element,
    clear() {
      turn += 1;
      context.clearRect(0, 0, WIDTH, HEIGHT);
      element.classList.remove("drawn");
    },
    /** @param {string} trackId @param {number} start second @param {number} seconds */
    async show(trackId, start, seconds) {
      const mine = ++turn;
      const query = new URLSearchParams({
        start: start.toFixed(2),
        seconds: String(seconds),
        width: String(WIDTH),
        height: String(HEIGHT),
      });
      try {
        const blob = await app.api.blob(`${path("v1/tracks", trackId, "spectrogram")}?${query}`);
        const picture = await createImageBitmap(blob);
        if (mine !== turn) return;
        context.drawImage(picture, 0, 0, WIDTH, HEIGHT);
        tint(context);
        element.classList.add("drawn");
      } catch (error) {
        if (mine === turn) app.fail(error);
      }
    },
    /** @param {number} share of the clip, 0 to 1 */
    at(share) {
      cursor.style.left = `${100 * Math.min(1, share)}%`;
      slider.value = String(share);
    },
  };
}

/** Gray levels become viridis: dark is quiet. */
function tint(context) {
  const image = context.getImageData(0, 0, WIDTH, HEIGHT);
  const colors = Array.from({ length: 256 }, (_, level) => viridis(level / 255));
  for (let at = 0; at < image.data.length; at += 4) image.data.set(colors[image.data[at]], at);
  context.putImageData(image, 0, 0);
}
