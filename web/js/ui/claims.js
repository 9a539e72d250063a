/** The part of a card that shows what each source states, when several mean the same thing. */

import { fetchClaims } from '../api.js';
import { metresApart, sortClaims } from '../pure/claims.js';
import { listed, metres, pick } from '../pure/format.js';
import { language, t } from '../words.js';
import { h } from './dom.js';
import { fillWhenLoaded } from './loading.js';

/** @typedef {import('../types').App} App */
/** @typedef {import('../types').Layer} Layer */
/** @typedef {import('../types').Thing} Thing */

/** @param {App} _app @param {Layer} layer @param {string} uid */
export function claimsOf(_app, layer, uid) {
  const section = h('section', { class: 'card-section claims', hidden: true });
  const body = h('div', {});
  section.append(h('h4', {}, t('card.claims')), body);
  void fillWhenLoaded(body, () => fetchClaims(layer.id, uid), (thing) => {
    section.hidden = thing.uids.length < 2;
    return thing.uids.length < 2 ? [] : facts(layer, thing);
  });
  return section;
}

/** @param {Layer} layer @param {Thing} thing */
function facts(layer, thing) {
  const lang = language();
  const { differ, agree } = sortClaims(layer, thing, lang);
  const sources = new Set([...Object.values(thing.fields).flat(), ...thing.places].map((claim) => claim.source));
  const places = thing.places.map((claim, i, [shown]) => ({
    text: i === 0 ? `${claim.value.lon.toFixed(5)}, ${claim.value.lat.toFixed(5)}`
      : t('card.claims.apart', { metres: metres(metresApart(/** @type {typeof claim} */ (shown).value, claim.value), lang) }),
    source: pick(claim.title, lang) || claim.source, at: claim.at.slice(0, 10),
  }));
  return [
    h('p', { class: 'muted' }, t('card.claims.of', { n: sources.size, m: thing.uids.length })),
    h('dl', { class: 'facts' },
      differ.flatMap(({ title, claims }) => [h('dt', {}, title), h('dd', {}, claims.map(statement))]),
      places.length > 1 && [h('dt', {}, t('card.claims.place')), h('dd', {}, places.map(statement))]),
    agree.length > 0 && h('details', { class: 'fold' }, h('summary', {}, t('card.claims.same', { n: agree.length })), h('p', { class: 'muted' }, listed(agree, lang))),
  ];
}

/** One source's statement; the first is the one that is shown. @param {{text: string, source: string, at: string}} claim @param {number} place */
function statement({ text, source, at }, place) {
  return h('div', { class: place === 0 ? 'claim shown' : 'claim' },
    h('span', {}, text), h('span', { class: 'muted' }, `${source} · ${at}${place === 0 ? ` · ${t('card.claims.shown')}` : ''}`));
}
