/** The card of one feature: its fields in words, its conflicts, where it comes from. */

import { fetchItem, fetchItems } from '../api.js';
import { cardRows, labelOf } from '../pure/fields.js';
import { date, listed, metres, pick } from '../pure/format.js';
import { language, t } from '../words.js';
import { demonstrationBadge, indicativeBadge } from './badges.js';
import { claimsOf } from './claims.js';
import { conflictFacts, conflictRow } from './conflict.js';
import { h } from './dom.js';
import { layerSwatch } from './legend.js';
import { fillWhenLoaded } from './loading.js';
import { textButton } from './tree.js';

/** @typedef {import('../types').App} App */
/** @typedef {import('../types').Item} Item */
/** @typedef {import('../types').Layer} Layer */

/** How many conflicts of one feature the card lists. */
const MOST_CONFLICTS = 30;

/**
 * @param {App} app
 * @param {Layer} layer
 * @param {string} uid
 * @param {{zoom: boolean}} how zoom: bring the feature into view
 * @returns {import('./panel.js').View}
 */
export function cardView(app, layer, uid, how) {
  /** @type {Item | null} */
  let item = null;
  const isConflict = layer.id === app.conflictsLayer;
  const mark = () => {
    if (item?.geometry) app.highlights.show('selection', [item.geometry], isConflict ? 'witness' : 'selection');
  };
  return {
    kind: 'card',
    title: () => (isConflict ? t('conflict.title') : pick(layer.title, language())),
    shown() {
      app.store.set({ selection: { layer: layer.id, uid } });
      mark();
    },
    left() {
      app.store.set({ selection: null });
      app.highlights.clearAll(['selection', 'conflict-subject', 'conflict-zone']);
    },
    render(body) {
      void fillWhenLoaded(body, async () => (item ??= await fetchItem(layer.id, uid)), (loaded) => {
        mark();
        if (how.zoom) app.showGeometry(loaded.geometry);
        how.zoom = false;
        return isConflict ? conflictFacts(app, loaded) : featureFacts(app, layer, loaded);
      });
    },
  };
}

/** @param {App} app @param {Layer} layer @param {Item} item */
function featureFacts(app, layer, item) {
  const { properties } = item;
  const { known, unknown } = cardRows(layer, properties, language());
  return [
    h('div', { class: 'card-title' }, layer.geometry !== 'none' && layerSwatch(layer), h('h3', {}, labelOf(layer, properties))),
    h('p', { class: 'badges-row' },
      demonstrationBadge(properties['is_demonstration'] === true), indicativeBadge(properties['is_indicative'] === true)),
    h('dl', { class: 'facts' }, known.flatMap(({ title, text }) => [h('dt', {}, title), h('dd', {}, text)])),
    unknown.length > 0 && h('details', { class: 'fold' },
      h('summary', {}, t('card.unknown', { n: unknown.length })), h('p', { class: 'muted' }, listed(unknown, language()))),
    cardButtons(app, layer, item),
    layer.linked && claimsOf(app, layer, String(properties['uid'])),
    conflictsOf(app, layer, String(properties['uid'])),
    sourceOf(properties, item.provenance),
  ];
}

/** @param {App} app @param {Layer} layer @param {Item} item */
function cardButtons(app, layer, item) {
  const { geometry } = item;
  if (!geometry) return null;
  const accuracy = Number(item.properties['accuracy_m']);
  return h(
    'div', { class: 'buttons' },
    textButton('zoom', t('card.zoom'), () => app.showGeometry(geometry)),
    layer.role === 'subject' && textButton('site', t('card.screen'), () =>
      app.screen(geometry, 'existing', Number.isFinite(accuracy) && item.properties['accuracy_m'] !== null ? accuracy : undefined)),
  );
}

/** Conflicts in which the feature is the subject or the zone. @param {App} app @param {Layer} layer @param {string} uid */
function conflictsOf(app, layer, uid) {
  if (!app.conflictsLayer || (layer.role !== 'subject' && layer.role !== 'zone')) return null;
  const side = layer.role;
  const list = h('div', {});
  void fillWhenLoaded(
    list,
    () => fetchItems(app.conflictsLayer, {
      [`${side}_layer`]: layer.id, [`${side}_uid`]: uid, limit: MOST_CONFLICTS,
    }),
    ({ features, numberMatched }) => [
      numberMatched === 0 && h('p', { class: 'muted' }, t('card.conflicts.none')),
      numberMatched > 0 && h('ul', { class: 'rows' }, features.map((each) => h('li', {}, conflictRow(app, each, [side === 'zone' ? 'subject' : 'zone'])))),
      numberMatched > features.length && h('p', { class: 'muted' }, t('card.conflicts.more', { n: numberMatched - features.length })),
    ],
  );
  return h('section', { class: 'card-section' }, h('h4', {}, t('card.conflicts')), list);
}

/**
 * @param {import('../types').Properties} properties
 * @param {import('../types').Provenance} [provenance]
 */
export function sourceOf(properties, provenance) {
  const lang = language();
  const accuracy = properties['accuracy_m'];
  const from = properties['valid_from'];
  const to = properties['valid_to'];
  /** @type {[string, string][]} */
  const rows = [
    [t('source.name'), (provenance && pick({ zh: provenance.title_zh, en: provenance.title_en }, lang)) || String(properties['source'] ?? '')],
    [t('source.arrived'), provenance ? date(provenance.at, lang) : ''],
    [t('source.revision'), properties['rev_from'] === undefined ? '' : t('source.since', { rev: String(properties['rev_from']) })],
    [t('source.accuracy'), typeof accuracy === 'number' ? `± ${metres(accuracy, lang)}` : t('source.accuracy.unknown')],
    [t('source.valid'), from || to ? `${from ? date(String(from), lang) : '…'} – ${to ? date(String(to), lang) : '…'}` : ''],
    ['UID', String(properties['uid'] ?? '')],
  ];
  return h(
    'section', { class: 'card-section' },
    h('h4', {}, t('source.title')),
    h('dl', { class: 'facts small' }, rows.filter(([, text]) => text).flatMap(([title, text]) => [h('dt', {}, title), h('dd', {}, text)])),
  );
}
