/**
 * Where the map is looked at. Conventions: `x`, `y` are the map's coordinates at the center, y up; `zoom` is CSS pixels
 * per unit; screen coordinates are CSS pixels from the top left.
 */

/** All of `bounds` [x0, y0, x1, y1] in view, beside the pixels that something covers at the top and on the right. */
export function fitted(bounds, width, height, { margin = 0.06, covered = { top: 0, right: 0 } } = {}) {
  const [x0, y0, x1, y1] = bounds;
  const [across, up] = [Math.max(x1 - x0, 1e-6), Math.max(y1 - y0, 1e-6)];
  const zoom = (1 - 2 * margin) * Math.min((width - covered.right) / across, (height - covered.top) / up);
  return { x: (x0 + x1 + covered.right / zoom) / 2, y: (y0 + y1 + covered.top / zoom) / 2, zoom };
}

export function toScreen(camera, width, height, x, y) {
  return [(x - camera.x) * camera.zoom + width / 2, height / 2 - (y - camera.y) * camera.zoom];
}

export function toMap(camera, width, height, left, top) {
  return [(left - width / 2) / camera.zoom + camera.x, (height / 2 - top) / camera.zoom + camera.y];
}

/** Zoomed by `factor`, so that what is at (left, top) stays there. */
export function zoomed(camera, width, height, left, top, factor, limits) {
  const zoom = Math.min(limits[1], Math.max(limits[0], camera.zoom * factor));
  const [x, y] = toMap(camera, width, height, left, top);
  return { x: x - (left - width / 2) / zoom, y: y + (top - height / 2) / zoom, zoom };
}

export function panned(camera, right, down) {
  return { ...camera, x: camera.x - right / camera.zoom, y: camera.y + down / camera.zoom };
}

/** Between two cameras, `share` 0 to 1. */
export function between(from, to, share) {
  const mix = (a, b) => a + (b - a) * share;
  return { x: mix(from.x, to.x), y: mix(from.y, to.y), zoom: Math.exp(mix(Math.log(from.zoom), Math.log(to.zoom))) };
}
