/** The verdict that follows the hand while a site is drawn; the exact one comes when the drawing is done. */

import { screenLive } from '../api.js';

/** @typedef {import('geojson').Geometry} Geometry */
/** @typedef {import('../types').LiveAnswer} LiveAnswer */
/** @typedef {import('../types').SiteQuery} SiteQuery */

/**
 * One question is under way at a time; of those that come meanwhile only the latest is asked, when it has ended.
 * @param {(geometry: Geometry) => SiteQuery} query
 * @param {(answer: LiveAnswer | null) => void} show null while nothing is known of what is drawn
 */
export function createLive(query, show) {
  /** @type {Geometry | null} */
  let next = null;
  /** @type {AbortController | null} */
  let asking = null;
  /** @type {LiveAnswer | null} */
  let last = null;

  const ask = async () => {
    while (next) {
      const geometry = next;
      next = null;
      asking = new AbortController();
      const { signal } = asking;
      // What is not yet a shape (an edge that crosses another) has no verdict; the next corner may give it one.
      const answer = await screenLive(query(geometry), signal).catch(() => null);
      if (signal.aborted) return;
      last = answer;
      show(answer);
    }
    asking = null;
  };

  return {
    /** @param {Geometry} geometry what is drawn so far, in degrees */
    drawing(geometry) {
      next = geometry;
      if (!asking) void ask();
    },
    /** Drawing began anew or was given up. */
    forget() {
      next = last = null;
      asking?.abort();
      asking = null;
      show(null);
    },
    /** The drawing is done: what its last verdict was, to compare the exact one with. */
    done() {
      const done = last;
      next = last = null;
      asking?.abort();
      asking = null;
      return done;
    },
  };
}
