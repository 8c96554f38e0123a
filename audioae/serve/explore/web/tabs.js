/** The panels beside the map, as tabs. A panel is made when it is first shown. */

import { h } from "./panels/elements.js";

/** @param {HTMLElement} element @param {any} app @param {any[]} panels */
export function createTabs(element, app, panels) {
  const bar = h("div", { class: "tabs", role: "tablist", "aria-label": "Panels" });
  const mounted = new Map();
  let shown = null;
  const tabs = panels.map((panel) => {
    const tab = h(
      "button",
      {
        type: "button",
        role: "tab",
        id: `tab-${panel.name}`,
        "aria-controls": `panel-${panel.name}`,
        onclick: () => app.state.set({ panel: panel.name }),
      },
      h("span", { "aria-hidden": "true" }, panel.icon),
      h("span", {}, panel.title),
    );
    const body = h("section", {
      role: "tabpanel",
      id: `panel-${panel.name}`,
      "aria-labelledby": tab.id,
      class: "panel",
      hidden: true,
      tabindex: "-1",
    });
    return { panel, tab, body };
  });
  bar.append(...tabs.map(({ tab }) => tab));
  element.append(bar, ...tabs.map(({ body }) => body));
  bar.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    const at = tabs.findIndex(({ tab }) => tab === document.activeElement);
    const next = tabs[(at + by + tabs.length) % tabs.length];
    app.state.set({ panel: next.panel.name });
    next.tab.focus();
    event.preventDefault();
    event.stopPropagation();
  });

  function mount({ panel, body }) {
    if (!mounted.has(panel.name)) {
      try {
        mounted.set(panel.name, panel.mount(body, app) ?? {});
      } catch (error) {
        mounted.set(panel.name, {});
        app.fail(error);
      }
    }
    return mounted.get(panel.name);
  }

  function show() {
    const wanted = tabs.find(({ panel }) => panel.name === app.state.get("panel")) ?? tabs[0];
    if (wanted === shown) return;
    if (shown) mount(shown).hidden?.();
    for (const one of tabs) {
      const on = one === wanted;
      one.body.hidden = !on;
      one.tab.setAttribute("aria-selected", String(on));
      one.tab.tabIndex = on ? 0 : -1;
    }
    shown = wanted;
    wanted.tab.scrollIntoView?.({ block: "nearest", inline: "nearest" });
    mount(wanted).shown?.();
  }

  /** Panels that must listen from the start, whether or not they are shown. */
  for (const one of tabs) if (one.panel.early) mount(one);
  app.state.on("panel", show);
  show();
}
