/**
 * Files that the page hands out.
 *
 * Conventions: CSV as the store's readers take it: commas, quotes doubled, one line feed per row. A cell that a
 * spreadsheet would run as a formula gets an apostrophe, except for track_ids, which are read back.
 */

/** @param {Blob|string} content @param {string} name @param {string} [type] */
export function save(content, name, type = "text/plain") {
  const blob = content instanceof Blob ? content : new Blob([content], { type: `${type};charset=utf-8` });
  const address = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/** @param {string[]} columns @param {Record<string, any>[]} rows */
export function csv(columns, rows) {
  const lines = rows.map((row) => columns.map((name) => cell(row[name], name === "track_id")).join(","));
  return [columns.join(","), ...lines, ""].join("\n");
}

function cell(value, verbatim) {
  const text = value === null || value === undefined ? "" : String(value);
  const harmless = !verbatim && typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}
