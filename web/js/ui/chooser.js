/** Lists to choose one feature from: what stands under a click, and the members of a cluster. */

import { fetchItems } from '../api.js';
import { clusterBox } from '../pure/pick.js';
import { labelOf } from '../pure/fields.js';
import { number, pick } from '../pure/format.js';
import { painter } from '../pure/style.js';
import { language, t } from '../words.js';
import { demonstrationBadge, indicativeBadge } from './badges.js';
import { h } from './dom.js';
import { swatch } from './legend.js';
import { fillWhenLoaded } from './loading.js';

/** @typedef {import('../types').App} App */
/** @typedef {import('../types').Box} Box */
/** @typedef {import('../types').Layer} Layer */
/** @typedef {import('../types').Picked} Picked */
/** @typedef {import('../types').Properties} Properties */

/** How many members one request lists. */
const PAGE = 100;

/**
 * What stands under a click.
 * @param {App} app
 * @param {readonly Picked[]} picked
 * @returns {import('./panel.js').View}
 */
export function chooserView(app, picked) {
  return {
    kind: 'chooser',
    title: () => t('chooser.title', { n: picked.length }),
    render(body) {
      body.append(h('ul', { class: 'rows' }, picked.flatMap(({ layer: id, properties }) => {
        const layer = app.layers.get(id);
        return layer ? [h('li', {}, choice(app, layer, properties))] : [];
      })));
    },
  };
}

/**
 * The members of a cluster, all at one place.
 * @param {App} app
 * @param {Layer} layer
 * @param {Box} box
 * @returns {import('./panel.js').View}
 */
export function membersView(app, layer, box) {
  return {
    kind: 'members',
    title: () => t('members.title', { layer: pick(layer.title, language()) }),
    render(body) {
      void fillWhenLoaded(body, () => fetchItems(layer.id, { bbox: box, limit: PAGE }), ({ features, numberMatched }) => [
        h('p', { class: 'muted' }, t('members.note', { n: number(numberMatched, language()) })),
        h('ul', { class: 'rows' }, features.map((item) => h('li', {}, choice(app, layer, item.properties)))),
        numberMatched > features.length && h('p', { class: 'muted' }, t('members.more', { n: numberMatched - features.length })),
      ]);
    },
  };
}

/** @param {App} app @param {Layer} layer @param {Properties} properties */
function choice(app, layer, properties) {
  const count = Number(properties['n'] ?? 1);
  const by = layer.style.by && layer.fields.find((field) => field.name === layer.style.by);
  const code = by ? by.codes?.find((each) => each.code === String(properties[by.name])) : null;
  const paint = painter(layer.style)(properties);
  const open = () => {
    if (count > 1) app.openMembers(layer.id, clusterBox(properties));
    else app.openCard(layer.id, String(properties['uid']), { over: true });
  };
  return h(
    'button', { type: 'button', class: 'row', onclick: open },
    swatch({ ...layer.style, ...plain(paint) }, layer.geometry),
    h('span', { class: 'row-main' },
      h('span', { class: 'row-title' }, count > 1 ? t('chooser.cluster', { n: count }) : labelOf(layer, properties)),
      h('span', { class: 'row-sub' }, [pick(layer.title, language()), code ? pick(code, language()) : ''].filter(Boolean).join(' · '))),
    h('span', { class: 'row-badges' },
      indicativeBadge(properties['is_indicative'] === true, true), demonstrationBadge(properties['is_demonstration'] === true, true)),
  );
}

/** @param {import('../pure/style.js').Paint} paint @returns {import('../types').Symbol} */
function plain(paint) {
  return { shape: paint.shape, colour: paint.colour, fill_opacity: paint.fillOpacity, hatch: paint.hatch };
}
