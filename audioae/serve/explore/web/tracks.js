/**
 * What is known about tracks, by row: asked for in batches, kept for the last 20,000.
 */

const KEPT = 20_000;
const BATCH = 1000;

/** @param {ReturnType<import("./api.js").createApi>} api */
export function createTracks(api) {
  const known = new Map(); // row -> Promise<meta or null>
  const rowOf = new Map(); // track_id -> row
  let waiting = new Map(); // row -> {resolve, reject}

  function forget() {
    for (const row of known.keys()) {
      if (known.size <= KEPT) break;
      known.delete(row);
    }
  }

  async function flush() {
    const batch = waiting;
    waiting = new Map();
    const rows = [...batch.keys()];
    for (let from = 0; from < rows.length; from += BATCH) {
      const part = rows.slice(from, from + BATCH);
      try {
        const answer = await api.post("v1/map/rows", { rows: part });
        part.forEach((row, at) => batch.get(row).resolve(learn(answer.rows[at])));
      } catch (error) {
        part.forEach((row) => {
          known.delete(row);
          batch.get(row).reject(error);
        });
      }
    }
    forget();
  }

  function learn(meta) {
    if (meta) rowOf.set(meta.track_id, meta.row);
    return meta;
  }

  function one(row) {
    if (!known.has(row)) {
      if (!waiting.size) setTimeout(flush);
      known.set(row, new Promise((resolve, reject) => waiting.set(row, { resolve, reject })));
      known.get(row).catch(() => {});
    }
    return known.get(row);
  }

  return {
    /** @param {Iterable<number>} rows @returns {Promise<any[]>} a track for each row, null for a row that there is not */
    get: (rows) => Promise.all(Array.from(rows, one)),
    /** Rows of tracks, null for tracks that are not on the map. @param {string[]} ids @returns {Promise<(number|null)[]>} */
    async rows(ids) {
      const unknown = [...new Set(ids.filter((id) => !rowOf.has(id)))];
      for (let from = 0; from < unknown.length; from += BATCH) {
        const part = unknown.slice(from, from + BATCH);
        const answer = await api.post("v1/map/rows", { track_ids: part });
        answer.rows.forEach((meta, at) => {
          rowOf.set(part[at], meta ? meta.row : null);
          if (meta && !known.has(meta.row)) known.set(meta.row, Promise.resolve(meta));
        });
      }
      const found = ids.map((id) => rowOf.get(id) ?? null);
      if (rowOf.size > 2 * KEPT) rowOf.clear();
      forget();
      return found;
    },
  };
}

/** How a track is named: its title, or its track_id. */
export const titleOf = (meta) => meta?.title || meta?.track_id || "no track";
/** Artist, label, year: what follows the title. */
export const subtitleOf = (meta) => [meta?.artist, meta?.label, meta?.year].filter(Boolean).join(" · ");
