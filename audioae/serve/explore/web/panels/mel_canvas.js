/**
 * A log-mel of one clip on a canvas.
 *
 * Conventions: a mel comes as base64 of uint8, mel bin by mel bin from the lowest, 130 frames each; low bins are drawn
 * at the bottom. The tint runs from dark violet to pale yellow, of even lightness steps, and is the same in dark and
 * light.
 */

import { h } from "./elements.js";

export const FRAMES = 130;
const STOPS = [
  [4, 4, 20],
  [59, 15, 112],
  [140, 41, 129],
  [222, 73, 104],
  [254, 159, 109],
  [252, 253, 191],
];
const TINT = tint();

function tint() {
  const table = new Uint8ClampedArray(256 * 3);
  for (let value = 0; value < 256; value++) {
    const place = (value / 255) * (STOPS.length - 1);
    const low = Math.min(Math.floor(place), STOPS.length - 2);
    for (let c = 0; c < 3; c++)
      table[3 * value + c] = STOPS[low][c] + (place - low) * (STOPS[low + 1][c] - STOPS[low][c]);
  }
  return table;
}

/** @param {string} text base64 @returns {Uint8Array} */
export function bytesOf(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

/** Draw a mel, at `x`, `y` of a canvas that may hold several. */
export function drawMel(canvas, mel, { width = FRAMES, height = mel.length / width, x = 0, y = 0 } = {}) {
  const image = new ImageData(width, height);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const from = 3 * mel[(height - 1 - row) * width + column];
      const to = 4 * (row * width + column);
      image.data[to] = TINT[from];
      image.data[to + 1] = TINT[from + 1];
      image.data[to + 2] = TINT[from + 2];
      image.data[to + 3] = 255;
    }
  }
  canvas.getContext("2d").putImageData(image, x, y);
}

/** A canvas with one mel; `label` says what it shows to those who cannot see it. */
export function melCanvas(label, mel = null, attributes = {}) {
  const canvas = /** @type {HTMLCanvasElement} */ (
    h("canvas", { class: "mel", width: FRAMES, height: 128, role: "img", "aria-label": label, ...attributes })
  );
  if (mel) drawMel(canvas, mel);
  return canvas;
}
