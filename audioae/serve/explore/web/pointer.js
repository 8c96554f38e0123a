/**
 * What mouse, pen and fingers do on a map: drag moves it, the wheel and two fingers zoom, a lasso is drawn, a click
 * chooses. Conventions: a press that moves less than 5 pixels is a click.
 */

import { toMap } from "./camera.js";

const STILL = 5;

/** @param {import("./view.js").MapView} view */
export function watchPointer(view) {
  const { element, events } = view;
  const pressed = new Map(); // pointer -> [left, top]
  let start = null;
  let hovering = null;

  const spot = (event) => {
    const box = element.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };

  element.addEventListener("pointerdown", (event) => {
    if (event.button > 0) return;
    element.setPointerCapture(event.pointerId);
    pressed.set(event.pointerId, spot(event));
    start = { at: spot(event), lasso: view.lassoing, dragged: pressed.size > 1 };
    if (start.lasso) view.lasso = [spot(event)];
    view.stop();
  });

  element.addEventListener("pointermove", (event) => {
    const at = spot(event);
    const last = pressed.get(event.pointerId);
    if (!last) return hover(at);
    pressed.set(event.pointerId, at);
    if (!start.dragged && Math.hypot(at[0] - start.at[0], at[1] - start.at[1]) < STILL) return;
    start.dragged = true;
    if (start.lasso) return drawLasso(at);
    if (pressed.size === 2) return pinch(event.pointerId, last, at);
    element.classList.add("dragging");
    view.pan(at[0] - last[0], at[1] - last[1]);
  });

  const end = (event) => {
    if (!pressed.delete(event.pointerId)) return;
    element.classList.remove("dragging");
    if (start.lasso) endLasso();
    else if (!start.dragged && event.type === "pointerup") click(event);
  };
  element.addEventListener("pointerup", end);
  element.addEventListener("pointercancel", end);
  element.addEventListener("pointerleave", () => hover(null));
  element.addEventListener("dblclick", (event) => view.zoom(2, ...spot(event)));
  element.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const lines = event.deltaMode === 1 ? 20 : 1;
      view.zoom(Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.002)), ...spot(event));
    },
    { passive: false },
  );

  /** At most once a frame. */
  function hover(at) {
    if (hovering === null) requestAnimationFrame(answer);
    hovering = { at };
  }

  function answer() {
    const { at } = hovering;
    hovering = null;
    events.emit("hover", at && view.rowAt(...at), ...(at ?? [0, 0]));
  }

  function click(event) {
    events.emit("click", view.rowAt(...spot(event)), event);
  }

  function pinch(moved, last, at) {
    const [other] = [...pressed].filter(([pointer]) => pointer !== moved).map(([, spotOf]) => spotOf);
    const apart = (one) => Math.hypot(one[0] - other[0], one[1] - other[1]);
    view.zoom(apart(at) / Math.max(1, apart(last)), (at[0] + other[0]) / 2, (at[1] + other[1]) / 2);
    view.pan((at[0] - last[0]) / 2, (at[1] - last[1]) / 2);
  }

  function drawLasso(at) {
    const last = view.lasso[view.lasso.length - 1];
    if (Math.hypot(at[0] - last[0], at[1] - last[1]) >= 4) view.lasso.push(at);
    view.redraw();
  }

  function endLasso() {
    const polygon = view.lasso.map(([left, top]) => toMap(view.camera, view.width, view.height, left, top));
    view.lasso = [];
    view.redraw();
    if (polygon.length > 2) events.emit("lasso", polygon);
  }
}
