/** The two dialogs: the key of a server that needs one, and the page's keys. */

import { HELP } from "./keys.js";
import { button, h } from "./panels/elements.js";

/** Asks for a key until one is given. @param {boolean} wasSent whether the server refused one @returns {Promise<string>} */
export function askKey(wasSent) {
  const input = h("input", { type: "password", id: "key", autocomplete: "off", required: true });
  const words = wasSent
    ? "This key is not valid. Enter another one."
    : "This server needs a key. It is kept until you close this tab.";
  const form = h(
    "form",
    { method: "dialog" },
    h("label", { for: "key" }, words),
    input,
    h("button", { type: "submit" }, "Continue"),
  );
  const dialog = h("dialog", { "aria-label": "Key" }, form);
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      dialog.remove();
      resolve(input.value.trim());
    });
  });
}

/** @returns {HTMLDialogElement} */
export function helpDialog() {
  const rows = HELP.flatMap(([key, words]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, words)]);
  const dialog = h("dialog", { "aria-labelledby": "keys-title" });
  dialog.append(
    h("h2", { id: "keys-title" }, "Keys"),
    h("dl", { class: "keys-list" }, ...rows),
    button("Close", () => dialog.close()),
  );
  document.body.append(dialog);
  return dialog;
}
