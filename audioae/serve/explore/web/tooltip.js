/** Who the point under the pointer is. */

import { h } from "./panels/elements.js";
import { subtitleOf, titleOf } from "./tracks.js";

export function createTooltip(element, app) {
  const box = h("div", { class: "tip", hidden: true, "aria-hidden": "true" });
  element.append(box);
  let current = null;

  return {
    async show(row, left, top) {
      current = row;
      if (row === null) {
        box.hidden = true;
        return;
      }
      place(left, top);
      const [meta] = await app.tracks.get([row]).catch(() => [null]);
      if (current !== row || !meta) return;
      box.replaceChildren(h("b", {}, titleOf(meta)), h("span", {}, subtitleOf(meta)));
      box.hidden = false;
      box.dataset.row = String(row);
      place(left, top);
    },
  };

  function place(left, top) {
    const right = left + 270 > element.clientWidth;
    const below = top + 90 < element.clientHeight;
    box.style.transform = `translate(${right ? left - box.offsetWidth - 14 : left + 14}px, ${below ? top + 14 : top - box.offsetHeight - 14}px)`;
  }
}
