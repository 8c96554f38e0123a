/**
 * What sounds: one clip at a time, or a queue of them, with its spectrogram and the second it is at.
 *
 * Conventions: a clip is `SECONDS` long and begins at `start_s` of its track; without one, a quarter into the track.
 * Events: `time` (second of the track, track_id), `track` (entry), `state` ("playing", "paused" or "stopped"), `end`.
 */

import { path } from "./api.js";
import { button, clock, h } from "./panels/elements.js";
import { createSpectrogram } from "./spectrogram.js";
import { createEvents } from "./state.js";
import { subtitleOf, titleOf } from "./tracks.js";

export const SECONDS = 30;
const TICK_MS = 80; // smooth enough for a line that takes 30 s across, and easy on a machine without a GPU

/** @param {HTMLElement} element the bar @param {any} app */
export function createPlayer(element, app) {
  const events = createEvents();
  const audio = h("audio", { preload: "auto" });
  let entries = [];
  let at = -1;
  let turn = 0;
  let held = null; // a blob's address, to be given back

  const parts = bar(element, app, {
    toggle: () => player.toggle(),
    step: (by) => play(at + by),
    seek: (share) => {
      audio.currentTime = share * (audio.duration || SECONDS);
    },
  });
  const entry = () => entries[at] ?? null;
  const second = () => (entry()?.from ?? 0) + audio.currentTime;

  async function play(place) {
    const mine = ++turn;
    at = place;
    const one = entry();
    if (!one) return stop();
    audio.pause();
    parts.show(one, { first: at === 0, last: at === entries.length - 1 });
    try {
      Object.assign(one, await begin(one));
      if (mine !== turn) return;
      const source = one.file ? URL.createObjectURL(one.file) : await app.api.media(clipPath(one));
      if (mine !== turn) return;
      if (held) URL.revokeObjectURL(held);
      held = source.startsWith("blob:") ? source : null;
      audio.src = source;
      const started = audio.play();
      parts.show(one, { first: at === 0, last: at === entries.length - 1 });
      events.emit("track", one);
      await started;
      if (!one.file) parts.picture(one);
    } catch (error) {
      if (mine === turn && error.name !== "AbortError") await failed(one, error);
    }
  }

  /** The second at which a clip begins, and who it is. */
  async function begin(one) {
    if (one.file) return { from: 0, meta: { title: one.file.name } };
    const [row] = one.row === undefined ? await app.tracks.rows([one.track_id]) : [one.row];
    const [meta] = row === null ? [null] : await app.tracks.get([row]);
    const latest = Math.max(0, (meta?.duration_s ?? 0) - SECONDS);
    return {
      row,
      meta: meta ?? { track_id: one.track_id },
      from: one.start_s ?? latest / 2,
    };
  }

  /** Why a clip does not play: the server's own words, which an <audio> does not pass on. */
  async function failed(one, error) {
    const reason = one.file
      ? error
      : await app.api.answer(clipPath(one)).then(
          () => error,
          (told) => told,
        );
    parts.state("stopped");
    app.fail(reason.name === "NotAllowedError" ? new Error("Press space or click the track to play it.") : reason);
  }

  function stop() {
    turn += 1;
    at = -1;
    entries = [];
    audio.pause();
    audio.removeAttribute("src");
    parts.hide();
    events.emit("state", "stopped");
    document.body.dataset.playing = "";
  }

  let ticking = 0;
  function tick() {
    ticking = 0;
    parts.time(second(), audio.currentTime / (audio.duration || SECONDS));
    events.emit("time", second(), entry()?.track_id ?? null);
    if (!audio.paused) ticking = setTimeout(tick, TICK_MS);
  }
  const changed = (name) => {
    parts.state(name);
    events.emit("state", name);
    if (!ticking) tick();
  };
  audio.addEventListener("playing", () => changed("playing"));
  audio.addEventListener("pause", () => changed("paused"));
  audio.addEventListener("seeked", () => {
    if (!ticking) tick();
  });
  audio.addEventListener("ended", () => {
    if (at + 1 < entries.length) play(at + 1);
    else events.emit("end");
  });

  const player = {
    on: events.on,
    audio,
    /** @param {string} trackId @param {number|null} [start] second of the track */
    play: (trackId, start = null, row = undefined) => player.queue([{ track_id: trackId, start_s: start, row }]),
    /** Plays clips one after another. @param {{track_id: string, start_s?: number|null}[]} list */
    queue(list) {
      entries = list.map((one) => ({ ...one }));
      return play(entries.length ? 0 : -1);
    },
    /** A file of the person's own. @param {File} file */
    playFile: (file) => player.queue([{ file, track_id: null }]),
    stop,
    /** Has the server cut the clip of a row that may be clicked next, so that it sounds at once. @param {number} row */
    async prepare(row) {
      const one = await begin({ row });
      if (one.meta.track_id) await app.api.answer(clipPath({ ...one, track_id: one.meta.track_id }), { head: true });
    },
    /** Pauses or goes on; false if there is nothing to play. */
    toggle() {
      if (!entry()) return false;
      if (audio.paused) audio.play().catch(app.fail);
      else audio.pause();
      return true;
    },
    /** What plays: `{track_id, row, from, ...}` or null. */
    current: entry,
  };
  return player;
}

const clipPath = (one) => `${path("v1/tracks", one.track_id, "clip")}?start=${one.from.toFixed(2)}&seconds=${SECONDS}`;

/** The bar at the bottom. It has its place before anything plays, so that the map never moves under the pointer. */
function bar(element, app, { toggle, step, seek }) {
  const play = button("▶", toggle, { class: "round", "aria-label": "Play or pause", "aria-keyshortcuts": "Space" });
  const previous = button("⏮", () => step(-1), { class: "round quiet", "aria-label": "Previous clip" });
  const next = button("⏭", () => step(1), { class: "round quiet", "aria-label": "Next clip" });
  const who = h("div", { class: "who" });
  const time = h("output", { class: "time" });
  const spectrogram = createSpectrogram(app, seek);
  const buttons = h("div", { class: "buttons" }, previous, play, next);
  element.append(buttons, who, spectrogram.element, time);

  function idle(yes) {
    for (const part of [buttons, spectrogram.element]) part.inert = yes;
    if (!yes) return;
    who.replaceChildren(h("small", {}, "Nothing plays"));
    previous.hidden = next.hidden = true;
    time.textContent = "";
    spectrogram.clear();
    element.dataset.state = "stopped";
  }
  idle(true);

  return {
    show(one, { first, last }) {
      idle(false);
      previous.hidden = next.hidden = first && last;
      previous.disabled = first;
      next.disabled = last;
      const title = titleOf(one.meta);
      const open =
        one.row === null || one.row === undefined
          ? h("b", {}, title)
          : h(
              "button",
              {
                type: "button",
                class: "title",
                onclick: () => app.actions.choose(one.row, { play: false, fly: true }),
              },
              title,
            );
      who.replaceChildren(...(one.meta ? [open, h("small", {}, subtitleOf(one.meta))] : []));
      spectrogram.clear();
    },
    picture: (one) => spectrogram.show(one.track_id, one.from, SECONDS),
    hide: () => idle(true),
    state(name) {
      play.replaceChildren(name === "playing" ? "❚❚" : "▶");
      element.dataset.state = name;
    },
    time(second, share) {
      time.textContent = clock(second);
      time.dataset.second = second.toFixed(2);
      spectrogram.at(share);
    },
  };
}
