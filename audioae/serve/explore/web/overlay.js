/**
 * What is drawn over the points: names of regions, rings around tracks, a path, a lasso, the place of a dropped file.
 *
 * Conventions: a mark is `{rows}` or `{at: [x, y]}` with a style: `ring`, `chosen`, `minus`, `path` or `file`.
 */

import { css } from "./dom.js";

const FONT = '600 13px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';
const MOST_NAMES = 24;
const ABOVE = 16; // pixels: a name leaves the middle of a small region free

/**
 * @param {CanvasRenderingContext2D} context in CSS pixels
 * @param {(x: number, y: number) => number[]} place map coordinates to CSS pixels
 * @param {{regions: any[], marks: Map<string, any>, lasso: number[][], polygon: number[][]|null, points: Float32Array, size: number[]}} scene
 */
export function drawOverlay(context, place, scene) {
  const colors = Object.fromEntries(
    ["page", "ink", "soft", "accent", "bad", "good"].map((name) => [name, css(`--${name}`)]),
  );
  context.clearRect(0, 0, ...scene.size);
  names(context, place, scene, colors);
  if (scene.polygon)
    area(
      context,
      scene.polygon.map(([x, y]) => place(x, y)),
      colors,
    );
  if (scene.lasso.length > 1) area(context, scene.lasso, colors);
  const at = (row) => place(scene.points[2 * row], scene.points[2 * row + 1]);
  for (const mark of scene.marks.values()) {
    const spots = (mark.at ? [place(...mark.at)] : mark.rows.map(at)).filter(([x]) => Number.isFinite(x));
    STYLES[mark.style]?.(context, spots, colors);
  }
}

const STYLES = {
  ring: (context, spots, colors) => rings(context, spots, 6, 1.5, colors.ink, colors.page),
  chosen: (context, spots, colors) => rings(context, spots, 9, 3, colors.accent, colors.page),
  seed: (context, spots, colors) => rings(context, spots, 7, 2.5, colors.good, colors.page),
  minus: (context, spots, colors) => rings(context, spots, 7, 2.5, colors.bad, colors.page),
  path(context, spots, colors) {
    for (const [width, color] of [
      [5, colors.page],
      [2.5, colors.accent],
    ]) {
      Object.assign(context, { lineWidth: width, strokeStyle: color, lineJoin: "round" });
      context.beginPath();
      spots.forEach(([x, y], nth) => (nth ? context.lineTo(x, y) : context.moveTo(x, y)));
      context.stroke();
    }
    spots.forEach(([x, y], nth) => label(context, String(nth + 1), x, y, colors, spots.length > 40 ? 0 : 9));
  },
  file(context, spots, colors) {
    for (const [x, y] of spots) {
      context.beginPath();
      context.moveTo(x, y - 11);
      for (const [right, down] of [
        [11, 0],
        [0, 11],
        [-11, 0],
        [0, -11],
      ])
        context.lineTo(x + right, y + down);
      Object.assign(context, { fillStyle: colors.accent, strokeStyle: colors.page, lineWidth: 2.5 });
      context.fill();
      context.stroke();
    }
  },
};

function rings(context, spots, radius, width, color, halo) {
  for (const [wide, stroke] of [
    [width + 2, halo],
    [width, color],
  ]) {
    Object.assign(context, { lineWidth: wide, strokeStyle: stroke });
    for (const [x, y] of spots) {
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      context.stroke();
    }
  }
}

function label(context, text, x, y, colors, radius) {
  if (!radius) return;
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  Object.assign(context, {
    fillStyle: colors.accent,
    font: FONT.replace("13px", "11px"),
    textAlign: "center",
    textBaseline: "middle",
  });
  context.fill();
  context.fillStyle = colors.page;
  context.fillText(text, x, y + 0.5);
}

function area(context, spots, colors) {
  context.beginPath();
  spots.forEach(([x, y], nth) => (nth ? context.lineTo(x, y) : context.moveTo(x, y)));
  context.closePath();
  Object.assign(context, { fillStyle: colors.accent, strokeStyle: colors.accent, lineWidth: 2, globalAlpha: 0.1 });
  context.fill();
  context.globalAlpha = 1;
  context.setLineDash([6, 4]);
  context.stroke();
  context.setLineDash([]);
}

/** Names of the largest regions in view, as many as fit without touching. */
function names(context, place, { regions, size }, colors) {
  Object.assign(context, { font: FONT, textAlign: "center", textBaseline: "middle", lineJoin: "round", lineWidth: 4 });
  const taken = [];
  for (const region of regions) {
    const [x, center] = place(region.x, region.y);
    const y = center - ABOVE;
    const half = context.measureText(region.name).width / 2 + 6;
    if (x < half || y < 10 || x > size[0] - half || y > size[1] - 10) continue;
    if (taken.some((other) => Math.abs(other.x - x) < other.half + half && Math.abs(other.y - y) < 20)) continue;
    taken.push({ x, y, half });
    Object.assign(context, { strokeStyle: colors.page, fillStyle: colors.ink });
    context.strokeText(region.name, x, y);
    context.fillText(region.name, x, y);
    if (taken.length === MOST_NAMES) break;
  }
}
