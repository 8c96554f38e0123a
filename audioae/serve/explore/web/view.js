/**
 * A map: points, what is drawn over them, and what the pointer does. It knows rows and coordinates, no tracks, so that a
 * second one can stand beside the first (comparing two versions).
 *
 * Events: `hover` (row or null, left, top), `click` (row or null, event), `move` (camera), `lasso` (polygon).
 */

import { between, fitted, panned, toMap, toScreen, zoomed } from "./camera.js";
import { isCalm } from "./dom.js";
import { PointIndex } from "./index_of_points.js";
import { drawOverlay } from "./overlay.js";
import { h } from "./panels/elements.js";
import { watchPointer } from "./pointer.js";
import { FAINT, Renderer } from "./renderer.js";
import { createEvents } from "./state.js";

const REACH = 9; // pixels from the pointer to a point
const SETTLED_MS = 160;
const FLIGHT_MS = 350;
const EDGE = 40; // pixels from the edge, or from what covers it, up to which a track counts as out of view
const DEEPEST = 4000; // times as deep as the whole map

export class MapView {
  /**
   * @param {HTMLElement} element
   * @param {{points: Float32Array, bounds: number[], regions?: any[], label: string,
   *   covered?: {top: number, right: number}}} content - `covered`: pixels, see `fitted`
   */
  constructor(element, { points, bounds, regions = [], label, covered = { top: 0, right: 0 } }) {
    this.points = points;
    this.bounds = bounds;
    this.covered = covered;
    this.n = points.length / 2;
    this.events = createEvents();
    this.on = this.events.on;
    this.marks = new Map();
    this.flags = new Uint8Array(this.n);
    this.regions = [...regions].sort((a, b) => b.n - a.n);
    Object.assign(this, {
      lasso: [],
      polygon: null,
      lassoing: false,
      moving: false,
      changed: true,
      asked: 0,
      settle: 0,
      flight: null,
      after: [],
    });
    this.canvas = h("canvas", { "aria-hidden": "true" });
    this.over = h("canvas", { class: "over", "aria-hidden": "true" });
    this.element = h(
      "div",
      { class: "map-view", tabindex: "0", role: "application", "aria-label": label },
      this.canvas,
      this.over,
    );
    element.append(this.element);
    this.renderer = new Renderer(this.canvas, points);
    this.index = new PointIndex(points);
    this.resize();
    this.camera = this.whole();
    new ResizeObserver(() => this.resize()).observe(this.element);
    watchPointer(this);
    const whenIdle = window.requestIdleCallback ?? setTimeout;
    this.repaint(() => whenIdle(() => this.index.make(), { timeout: 500 }));
  }

  resize() {
    const { clientWidth, clientHeight } = this.element;
    if (!clientWidth || !clientHeight) return;
    const fits = this.camera && this.width && Math.abs(this.camera.zoom / this.whole().zoom - 1) < 0.01;
    Object.assign(this, { width: clientWidth, height: clientHeight, ratio: Math.min(2, window.devicePixelRatio || 1) });
    for (const canvas of [this.canvas, this.over]) {
      canvas.width = Math.round(clientWidth * this.ratio);
      canvas.height = Math.round(clientHeight * this.ratio);
    }
    if (fits) this.camera = this.whole();
    if (this.camera) this.repaint();
  }

  /** The camera that shows everything. */
  whole() {
    return fitted(this.bounds, this.width, this.height, { covered: this.covered });
  }

  /** Draw at the next frame; `then` is called when the whole picture is shown. */
  redraw(then) {
    if (then) this.after.push(then);
    if (this.asked) return;
    this.asked = requestAnimationFrame(() => {
      this.asked = 0;
      this.draw();
    });
  }

  draw() {
    const how = { ratio: this.ratio, inView: this.inView() };
    if (this.moving) {
      this.moving = false;
      this.renderer.forget();
      this.renderer.drawSample(this.camera, how);
      clearTimeout(this.settle);
      this.settle = setTimeout(() => this.redraw(), SETTLED_MS);
    } else if (this.changed && this.renderer.drawPart(this.camera, how)) {
      this.changed = false;
      this.renderer.rest();
      for (const then of this.after.splice(0)) then();
    } else if (this.changed) this.redraw();
    this.drawOver();
  }

  /** Colors, places or the size have changed: draw the points at the next frame. */
  repaint(then) {
    this.moving = this.changed = true;
    this.redraw(then);
  }

  drawOver() {
    const context = this.over.getContext("2d");
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    const place = (x, y) => toScreen(this.camera, this.width, this.height, x, y);
    const { regions, marks, lasso, polygon, points } = this;
    drawOverlay(context, place, { regions, marks, lasso, polygon, points, size: [this.width, this.height] });
  }

  /** About how many points are in view, if they were spread evenly. */
  inView() {
    const [x0, y0, x1, y1] = this.bounds;
    const seen = (this.width * this.height) / this.camera.zoom ** 2;
    return this.n * Math.min(1, seen / Math.max(1e-9, (x1 - x0) * (y1 - y0)));
  }

  setTones(tones, table) {
    this.renderer.set("tone", tones);
    this.setTable(table);
  }

  setTable(table) {
    this.renderer.setTable(table);
    this.repaint();
  }

  /** @param {((row: number) => boolean)|null} isFaint null: no row is */
  setFaint(isFaint) {
    if (!isFaint && !this.anyFaint) return;
    this.anyFaint = Boolean(isFaint);
    for (let row = 0; row < this.n; row += 1) this.flags[row] = isFaint?.(row) ? FAINT : 0;
    this.renderer.set("flags", this.flags);
    this.repaint();
  }

  /** @param {string} name replaces the mark of this name @param {any} mark null removes it */
  mark(name, mark) {
    this.marks.delete(name);
    if (mark) this.marks.set(name, mark);
    this.redraw();
  }

  setPolygon(polygon) {
    this.polygon = polygon;
    this.redraw();
  }

  /** The row that the pointer is at, or null. Rows that a filter excludes are passed over. */
  rowAt(left, top) {
    const [x, y] = toMap(this.camera, this.width, this.height, left, top);
    return this.index.nearest(x, y, REACH / this.camera.zoom, (row) => this.flags[row] === 0);
  }

  setCamera(camera, { quiet = false } = {}) {
    this.camera = camera;
    this.repaint();
    if (!quiet) this.events.emit("move", camera);
  }

  zoom(factor, left = this.width / 2, top = this.height / 2) {
    const whole = this.whole().zoom;
    this.stop();
    this.setCamera(zoomed(this.camera, this.width, this.height, left, top, factor, [whole / 2, whole * DEEPEST]));
  }

  pan(right, down) {
    this.stop();
    this.setCamera(panned(this.camera, right, down));
  }

  fit() {
    this.fly(this.whole());
  }

  /** Move so that these rows are in view; one row keeps the zoom, and moves the map only if it is not in view. */
  flyTo(rows) {
    const { points, camera, width, height } = this;
    const spots = Array.from(rows, (row) => [points[2 * row], points[2 * row + 1]]).filter(([x]) => Number.isFinite(x));
    if (!spots.length) return;
    const [xs, ys] = [spots.map(([x]) => x), spots.map(([, y]) => y)];
    const bounds = [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
    const [left, bottom] = toScreen(camera, width, height, bounds[0], bounds[1]);
    const [right, top] = toScreen(camera, width, height, bounds[2], bounds[3]);
    const [high, wide] = [this.covered.top + EDGE, width - this.covered.right - EDGE];
    const seen = left > EDGE && top > high && right < wide && bottom < height - EDGE;
    if (seen && (spots.length === 1 || right - left > width / 6)) return;
    const target = fitted(bounds, width, height, { margin: 0.2, covered: this.covered });
    this.fly({
      ...target,
      zoom: Math.min(target.zoom, Math.max(camera.zoom, this.whole().zoom * 4)),
    });
  }

  fly(target) {
    this.stop();
    if (isCalm()) return this.setCamera(target);
    const [from, began] = [this.camera, performance.now()];
    const step = () => {
      const share = Math.min(1, (performance.now() - began) / FLIGHT_MS);
      this.setCamera(between(from, target, share * share * (3 - 2 * share)));
      this.flight = share < 1 ? requestAnimationFrame(step) : null;
    };
    this.flight = requestAnimationFrame(step);
  }

  stop() {
    if (this.flight) cancelAnimationFrame(this.flight);
    this.flight = null;
  }
}
