/** What several sources state about one thing, sorted for the card. */

import { pick } from './format.js';
import { valueInWords } from './fields.js';

/** @typedef {import('../types').Claim} Claim */
/** @typedef {import('../types').Lang} Lang */
/** @typedef {import('../types').Layer} Layer */
/** @typedef {import('../types').Thing} Thing */

const EARTH_M = 6371008.8;

/**
 * Fields that more than one source states: where they differ with all statements, where they agree by title.
 * @param {Layer} layer
 * @param {Thing} thing
 * @param {Lang} lang
 * @returns {{differ: {title: string, claims: {text: string, source: string, at: string}[]}[], agree: string[]}}
 */
export function sortClaims(layer, thing, lang) {
  const differ = [];
  const agree = [];
  for (const field of layer.fields) {
    const claims = thing.fields[field.name] ?? [];
    if (new Set(claims.map((claim) => claim.source)).size < 2) continue;
    const title = pick(field.title, lang) || field.name;
    const said = claims.map((claim) => ({
      text: valueInWords(field, claim.value, lang), source: pick(claim.title, lang) || claim.source, at: claim.at.slice(0, 10),
    }));
    if (new Set(said.map(({ text }) => text.normalize('NFKC').replace(/\s/g, ''))).size > 1) differ.push({ title, claims: said });
    else agree.push(title);
  }
  return { differ, agree };
}

/**
 * Metres between two places on the sphere; good to half a per cent.
 * @param {{lon: number, lat: number}} a
 * @param {{lon: number, lat: number}} b
 */
export function metresApart(a, b) {
  const rad = Math.PI / 180;
  const dLat = (b.lat - a.lat) * rad;
  const dLon = (b.lon - a.lon) * rad;
  const s = Math.sin(dLat / 2) ** 2 + Math.cos(a.lat * rad) * Math.cos(b.lat * rad) * Math.sin(dLon / 2) ** 2;
  return 2 * EARTH_M * Math.asin(Math.sqrt(s));
}
