/** What a person does to tracks, from wherever: choose one, make it a seed, ask for neighbors. */

/** @param {any} app */
export function createActions(app) {
  const { state, tracks } = app;
  return {
    /** Selects a row. @param {number|null} row @param {{play?: boolean, fly?: boolean}} [how] */
    async choose(row, { play = false, fly = false } = {}) {
      state.set({ selected: row });
      if (row === null) return;
      if (fly) app.map.flyTo([row]);
      const [meta] = await tracks.get([row]);
      if (!meta || state.get("selected") !== row) return;
      app.say([meta.title || meta.track_id, meta.artist, meta.label].filter(Boolean).join(", "));
      if (play && app.info.audio !== "none") await app.player.play(meta.track_id, null, row);
    },

    /** Puts a row into a list of the state, or takes it out. @param {"seeds"|"minus"|"waypoints"} name @param {number} row */
    toggle(name, row) {
      const rows = state.get(name);
      const inside = rows.includes(row);
      const other = { seeds: "minus", minus: "seeds" }[name];
      state.set({
        [name]: inside ? rows.filter((one) => one !== row) : [...rows, row],
        ...(other && !inside ? { [other]: state.get(other).filter((one) => one !== row) } : {}),
      });
      const words = { seeds: "seed", minus: "negative seed", waypoints: "waypoint" }[name];
      tracks.get([row]).then(
        ([meta]) => app.say(`${meta?.title || meta?.track_id}: ${inside ? "no longer a" : "now a"} ${words}.`),
        () => {},
      );
    },

    /**
     * The tracks on the map that sound most like a row and the seeds, and least like the negative seeds.
     * @param {number|null} row @param {number} k @returns {Promise<{row: number, track_id: string, score: number}[]>}
     */
    async neighbors(row, k) {
      const seeds = [...new Set([...(row === null ? [] : [row]), ...state.get("seeds")])];
      const minus = state.get("minus").filter((one) => !seeds.includes(one));
      const ids = async (rows) => (await tracks.get(rows)).filter(Boolean).map(({ track_id }) => ({ track_id }));
      const filters = state.get("filters");
      const body = { seeds: await ids(seeds), minus: await ids(minus), k, ...(filters ? { filters } : {}) };
      const answer = await app.api.post("v1/similar", body);
      const rows = await tracks.rows(answer.neighbors.map((one) => one.track_id));
      return answer.neighbors.map((one, at) => ({ ...one, row: rows[at] })).filter((one) => one.row !== null);
    },
  };
}
