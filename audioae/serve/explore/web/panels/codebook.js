/**
 * The codebook: each code's decoded mel, how often it is used, the clips that use it.
 *
 * Conventions: a thumbnail is asked for when it comes into view, four at a time. A code of an unused entry has no clips.
 */

import { button, count, field, h, percent, select } from "./elements.js";
import { frame } from "./frame.js";
import { bytesOf, drawMel, melCanvas } from "./mel_canvas.js";
import { hearMel } from "./hear.js";
import { limited } from "./limited.js";
import { playableList } from "./playable.js";

const AT_ONCE = 4;

export default { name: "codebook", title: "Codebook", icon: "▦", mount };

function mount(element, app) {
  const view = frame(element, {
    purpose: "The sounds that the model writes with: each code as the decoder draws it, and the clips that use it.",
  });
  const panel = new Codebook(view, app);
  return { shown: () => panel.start(), hidden() {} };
}

class Codebook {
  constructor(view, app) {
    Object.assign(this, { view, app, codes: null, book: 0, order: "n" });
    this.details = new Map();
    this.limit = limited(AT_ONCE);
    this.detail = h("article", { class: "code-detail", tabindex: -1 });
    this.grid = h("div", { class: "code-grid", role: "group", "aria-label": "Codes" });
    this.choice = h("div", { class: "controls" });
    this.seen = new IntersectionObserver(
      (entries) => entries.filter((one) => one.isIntersecting).forEach((one) => this.draw(one.target)),
      {
        rootMargin: "200px",
      },
    );
    this.grid.addEventListener("keydown", (event) => this.step(event));
    view.body.append(this.choice, this.detail, this.grid);
  }

  async start() {
    if (this.codes) return;
    const answer = await this.view.job("Reading the codebook …", () => this.app.api.get("v1/codebook"));
    if (!answer) return;
    this.codes = answer.codes;
    this.of = answer.of === "clips" ? "clip" : "track";
    const books = Array.from({ length: answer.books }, (_, book) => book);
    const orders = [
      ["n", "most used first"],
      ["code", "by number"],
    ];
    this.choice.append(
      ...(books.length > 1
        ? [
            field(
              "Codebook",
              select(
                books.map((book) => [book, `${book + 1} of ${books.length}`]),
                this.book,
                (book) => this.show({ book: Number(book) }),
              ),
            ),
          ]
        : []),
      field(
        "Order",
        select(orders, "n", (order) => this.show({ order })),
      ),
    );
    this.show({});
  }

  show(change) {
    Object.assign(this, change);
    const codes = this.codes.filter((one) => one.book === this.book);
    codes.sort(this.order === "n" ? (a, b) => b.n - a.n || a.code - b.code : (a, b) => a.code - b.code);
    const used = codes.filter((one) => one.n).length;
    this.view.note(`${used.toLocaleString("en-US")} of ${count(codes.length, "code")} are in use.`);
    const most = Math.max(...codes.map((one) => one.n), 1);
    this.seen.disconnect();
    this.grid.replaceChildren(...codes.map((code, place) => this.tile(code, place, most)));
  }

  tile(code, place, most) {
    const words = `Code ${code.code}: ${percent(code.share)}, ${count(code.n, this.of)}`;
    const tile = h(
      "button",
      {
        type: "button",
        class: code.n ? "code" : "code unused",
        title: words,
        "aria-label": words,
        tabindex: place ? -1 : 0,
        onclick: () => this.open(code, tile),
      },
      h("canvas", { width: 130, height: 128, "aria-hidden": "true" }),
      h("span", {}, String(code.code)),
      h("i", { style: { width: `${(100 * code.n) / most}%` }, "aria-hidden": "true" }),
    );
    tile.dataset.code = code.code;
    this.seen.observe(tile);
    return tile;
  }

  step(event) {
    const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!by) return;
    const tiles = [...this.grid.children];
    const across = event.key.endsWith("n") || event.key.endsWith("p") ? columnsOf(tiles) : 1;
    const next = tiles[tiles.indexOf(document.activeElement) + by * across];
    event.preventDefault();
    event.stopPropagation();
    if (!next) return;
    tiles.forEach((tile) => {
      tile.tabIndex = tile === next ? 0 : -1;
    });
    next.focus();
  }

  read(code) {
    const key = `${this.book}/${code}`;
    if (!this.details.has(key)) {
      const reading = this.limit(() => this.app.api.get(`v1/codebook/${key}`));
      reading.catch(() => this.details.delete(key));
      this.details.set(key, reading);
    }
    return this.details.get(key);
  }

  async draw(tile) {
    this.seen.unobserve(tile);
    const detail = await this.read(Number(tile.dataset.code)).catch(() => null);
    if (!detail) return;
    drawMel(tile.querySelector("canvas"), bytesOf(detail.mel));
    tile.dataset.drawn = "";
  }

  async open(code, tile) {
    for (const one of this.grid.children) one.setAttribute("aria-pressed", String(one === tile));
    const detail = await this.view.job(`Reading code ${code.code} …`, () => this.read(code.code));
    if (!detail) return;
    const tracks = await this.described(detail.clips);
    const heard = h("p", { class: "status", role: "status", hidden: true });
    this.detail.replaceChildren(
      h("h3", {}, `Code ${code.code}`),
      h("p", {}, `${count(detail.n, this.of)} (${percent(detail.share)}) ${detail.n === 1 ? "has" : "have"} it.`),
      h(
        "div",
        { class: "mel-pair" },
        melFigure("with this code", detail.mel),
        melFigure("with the book's mean", detail.mean_mel),
      ),
      hearMel(this.app, { book: this.book, code: code.code }, heard),
      heard,
      h("h4", {}, tracks.length ? `The ${this.of}s nearest to it` : `No ${this.of} has it`),
      playableList(this.app, tracks),
    );
    this.detail.focus({ preventScroll: true });
    this.detail.scrollIntoView({ block: "nearest" });
  }

  async described(clips) {
    const rows = await this.app.tracks.rows(clips.map((one) => one.track_id));
    const known = await this.app.tracks.get(rows.filter((row) => row !== null));
    const byId = new Map(known.map((one) => [one.track_id, one]));
    return clips.map((clip) => ({
      ...byId.get(clip.track_id),
      ...clip,
      note: clip.start_s === null ? "" : `at ${clip.start_s.toFixed(0)} s`,
    }));
  }
}

/** How many tiles stand in the first row. */
function columnsOf(tiles) {
  const top = tiles[0]?.offsetTop;
  return Math.max(
    1,
    tiles.findIndex((tile) => tile.offsetTop !== top),
  );
}

const melFigure = (words, mel) =>
  h("figure", {}, melCanvas(`Decoded mel ${words}`, bytesOf(mel)), h("figcaption", {}, words));
