/**
 * What every panel has: a purpose line, a status line that says what is being done or what went wrong, and a body.
 *
 * The status line keeps its place while it is empty: nothing moves under a pointer that is about to press.
 *
 * Conventions: of several requests of one panel only the last one's answer counts (`job` answers undefined otherwise).
 */

import { h } from "./elements.js";

/**
 * @param {HTMLElement} element
 * @param {{purpose: string, keys?: [string, string][]}} words
 */
export function frame(element, { purpose, keys = [] }) {
  const status = h("p", { class: "status", role: "status" });
  const body = h("div", { class: "panel-body" });
  element.classList.add("explore-panel");
  element.replaceChildren(h("p", { class: "purpose" }, purpose), keyList(keys), status, body);
  return { body, status, ...statusLine(status) };
}

function keyList(keys) {
  const items = keys.map(([key, text]) => h("span", {}, h("kbd", {}, key), " ", text));
  return h("p", { class: "keys", hidden: !keys.length }, ...items);
}

/** `busy`, `fail`, `clear` and `job` over one status element. */
export function statusLine(status) {
  let turn = 0;
  const show = (text, className) => {
    status.textContent = text;
    status.className = `status ${className}`;
  };
  const line = {
    busy: (text) => show(text, "busy"),
    fail: (error) => show(sentence(error), "failed"),
    note: (text) => show(text, ""),
    clear: () => show("", ""),
    /** Run a job; undefined if it failed, which the status line says, or if a later one began. */
    async job(text, work) {
      const mine = ++turn;
      line.busy(text);
      try {
        const answer = await work();
        if (mine !== turn) return undefined;
        line.clear();
        return answer;
      } catch (error) {
        if (mine === turn) line.fail(error);
        return undefined;
      }
    },
    /** Make the answers of jobs in progress void. */
    drop() {
      turn += 1;
      line.clear();
    },
  };
  return line;
}

function sentence(error) {
  return error?.message || String(error);
}

/**
 * Keys of a panel while it is shown. A handler answers false to leave the key to the page.
 *
 * @param {Record<string, (event: KeyboardEvent) => any>} handlers by `event.key`
 */
export function shortcuts(handlers) {
  const listen = (event) => {
    const handler = handlers[event.key];
    if (!handler || event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return;
    if (handler(event) === false) return;
    event.preventDefault();
    event.stopPropagation();
  };
  return {
    on: () => document.addEventListener("keydown", listen, true),
    off: () => document.removeEventListener("keydown", listen, true),
  };
}

/** Whether the key belongs to what has the focus: a field that takes letters, or a control that takes the space bar. */
function isTyping(event) {
  const target = /** @type {HTMLElement} */ (event.target);
  if (target.closest?.("input:not([type=range]):not([type=checkbox]), textarea, select, [contenteditable]"))
    return true;
  return event.key === " " && Boolean(target.closest?.("button, a, summary, [role=option], input"));
}
