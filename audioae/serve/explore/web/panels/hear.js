/**
 * A decoded mel as sound.
 *
 * Conventions: named an illustration wherever it is offered: phases are estimated (Griffin-Lim), so this is not what a
 * track sounds like.
 */

import { button, h } from "./elements.js";

let playing = null;

/**
 * @param {any} app
 * @param {any} asked what `POST /v1/latent:listen` takes, or a function that gives it
 * @param {HTMLElement} status
 */
export function hearMel(app, asked, status) {
  return h(
    "span",
    {},
    button("Hear it (illustration)", async () => {
      say(status, "Making the sound …", "busy");
      try {
        const sound = await app.api.blob("v1/latent:listen", { body: typeof asked === "function" ? asked() : asked });
        app.player.stop();
        await play(sound);
        say(status, "");
      } catch (error) {
        say(status, error.message, "failed");
      }
    }),
    " ",
    h("small", {}, "phases are estimated; no track sounds like this"),
  );
}

function play(sound) {
  if (playing) {
    playing.pause();
    URL.revokeObjectURL(playing.src);
  }
  playing = new Audio(URL.createObjectURL(sound));
  return playing.play();
}

function say(status, text, className = "") {
  status.textContent = text;
  status.className = `status ${className}`;
  status.hidden = !text;
}
