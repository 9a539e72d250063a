/** What the user has chosen, in one plain store; parts of the page subscribe to the keys they show. */

/**
 * @typedef {object} State
 * @property {import('./types').Lang} lang
 * @property {ReadonlySet<string>} visible layer ids
 * @property {Readonly<Record<string, number>>} opacity 0 to 1 by layer id; 1 when absent
 * @property {string | null} raster
 * @property {string | null} basemap
 * @property {{layer: string, uid: string} | null} selection
 * @property {{lon: number, lat: number, zoom: number}} view
 * @property {string | null} panel kind of the open panel
 * @property {{wkt: string, kind: string, attributes: Readonly<Record<string, string>>} | null} site in longitude and latitude
 * @property {Readonly<import('./pure/ledger.js').LedgerFilter>} ledger which conflicts are looked at
 * @property {number | null} realConflicts how many there are; null until known
 * @property {number} revision newest one that the page knows
 * @property {ReadonlyMap<string, import('./types').HealthCard> | null} health by layer id; null until known
 * @property {string | null} importing the import that the panel holds
 * @property {import('./types').Session | null} session who is signed in; null until known
 * @property {number} loading requests under way
 */

/** @typedef {keyof State} Key */

/**
 * A store of the given state.
 * @param {State} initial
 */
export function createStore(initial) {
  let state = initial;
  /** @type {Set<{keys: readonly Key[], listener: (state: State) => void}>} */
  const subscribers = new Set();
  return {
    /** @returns {Readonly<State>} */
    get: () => state,

    /**
     * Replace some keys; subscribers of keys that changed are called once.
     * @param {Partial<State>} patch
     */
    set(patch) {
      const before = state;
      const changed = /** @type {Key[]} */ (Object.keys(patch)).filter((key) => before[key] !== patch[key]);
      if (!changed.length) return;
      state = { ...before, ...patch };
      for (const { keys, listener } of [...subscribers]) {
        if (keys.some((key) => changed.includes(key))) listener(state);
      }
    },

    /**
     * @param {readonly Key[]} keys
     * @param {(state: State) => void} listener called after each change of one of the keys
     * @returns {() => void} stops the calls
     */
    subscribe(keys, listener) {
      const entry = { keys, listener };
      subscribers.add(entry);
      return () => subscribers.delete(entry);
    },
  };
}

/** @typedef {ReturnType<typeof createStore>} Store */

/**
 * The set with one member switched; the same set when nothing changes.
 * @param {ReadonlySet<string>} set
 * @param {string} member
 * @param {boolean} on
 */
export function switched(set, member, on) {
  if (set.has(member) === on) return set;
  const copy = new Set(set);
  if (on) copy.add(member);
  else copy.delete(member);
  return copy;
}
