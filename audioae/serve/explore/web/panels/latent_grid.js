/** The plane of a two-dimensional VAE: what the decoder makes of each of 15 x 15 places. */

import { button, h } from "./elements.js";
import { statusLine } from "./frame.js";
import { bytesOf, drawMel, FRAMES } from "./mel_canvas.js";

const SIDE = 15;
const BINS = 128;

/** Fill a section with a button that draws the grid, and show it. */
export function latentGrid(section, app) {
  const status = h("p", { class: "status", role: "status" });
  const line = statusLine(status);
  const canvas = h("canvas", {
    class: "latent-grid",
    width: SIDE * FRAMES,
    height: SIDE * BINS,
    role: "img",
    "aria-label": `${SIDE} times ${SIDE} decoded mels over the latent plane`,
    hidden: true,
  });
  const draw = async () => {
    const answer = await line.job("Decoding the plane …", () => app.api.post("v1/latent:decode", { grid: SIDE }));
    if (!answer) return;
    answer.frames.forEach((one, place) =>
      drawMel(canvas, bytesOf(one), {
        x: (place % answer.columns) * FRAMES,
        y: Math.floor(place / answer.columns) * BINS,
      }),
    );
    canvas.hidden = false;
  };
  section.replaceChildren(
    h("h3", {}, "The latent plane"),
    h("p", {}, button(`Draw ${SIDE} × ${SIDE}`, draw)),
    status,
    canvas,
  );
  section.hidden = false;
}
