/** Small helpers of the page that make no elements; elements are made by `panels/elements.js`. */

/** Calls `run` once, `wait` milliseconds after the last call. */
export function debounce(run, wait) {
  let timer = 0;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => run(...values), wait);
  };
}

/** A number for people: 1,234 or 0.123. */
export function number(value, digits = 3) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (Number.isInteger(value) || Math.abs(value) >= 100) return Math.round(value).toLocaleString("en");
  return String(Number(value.toPrecision(digits)));
}

/** Whether keys belong to what has the focus: a field, a button, a list. */
export function isTyping(event) {
  return Boolean(event.target.closest?.("input, textarea, select, dialog, [contenteditable]"));
}

/** A CSS variable of the page, such as "--ink". */
export const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export const isDark = () => matchMedia("(prefers-color-scheme: dark)").matches;
export const isCalm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
