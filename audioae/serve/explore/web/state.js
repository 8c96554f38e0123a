/**
 * What the person has chosen, in one place; whoever shows it listens.
 *
 * Names: `selected` (row or null), `hovered` (row or null), `seeds`, `minus`, `waypoints` (rows), `filters` (as the API
 * takes them, or null), `color` (a column's name), `only` (a code of that column shown alone, or null), `selection`
 * ({polygon} or {rows}, or null), `panel` (a panel's name), `view` ({x, y, zoom}), `compare`.
 */

/** @param {Record<string, any>} initial */
export function createState(initial) {
  const values = { ...initial };
  const listeners = new Map();
  return {
    /** @param {string} name */
    get: (name) => values[name],
    /** Sets values, then tells each listener once. @param {Record<string, any>} changes */
    set(changes) {
      const changed = Object.keys(changes).filter((name) => !Object.is(values[name], changes[name]));
      Object.assign(values, changes);
      const calls = new Set(
        changed.flatMap((name) => [...(listeners.get(name) ?? [])].map((listener) => [listener, name])),
      );
      const called = new Set();
      for (const [listener, name] of calls) {
        if (called.has(listener)) continue;
        called.add(listener);
        listener(values[name], name);
      }
    },
    /**
     * @param {string} names one or several, separated by spaces
     * @param {(value: any, name: string) => void} listener
     * @returns {() => void} ends it
     */
    on(names, listener) {
      const list = names.split(" ");
      for (const name of list) listeners.set(name, (listeners.get(name) ?? new Set()).add(listener));
      return () => list.forEach((name) => listeners.get(name).delete(listener));
    },
  };
}

/** A small event source: `on(name, fn)` and `emit(name, ...values)`. */
export function createEvents() {
  const listeners = new Map();
  return {
    on(name, listener) {
      listeners.set(name, (listeners.get(name) ?? new Set()).add(listener));
      return () => listeners.get(name).delete(listener);
    },
    emit(name, ...values) {
      for (const listener of listeners.get(name) ?? []) listener(...values);
    },
  };
}
