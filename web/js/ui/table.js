/** The rows of a layer as a table: the way into registers, and the twin of every map layer. */

import { fetchItems, fetchPage } from '../api.js';
import { valueInWords } from '../pure/fields.js';
import { number, pick } from '../pure/format.js';
import { language, t } from '../words.js';
import { demonstrationBadge } from './badges.js';
import { h } from './dom.js';
import { fillWhenLoaded } from './loading.js';

/** @typedef {import('../types').App} App */
/** @typedef {import('../types').Items} Items */
/** @typedef {import('../types').Layer} Layer */

const PAGE = 50;

/**
 * @param {App} app
 * @param {Layer} layer
 * @returns {import('./panel.js').View}
 */
export function tableView(app, layer) {
  return {
    kind: 'table',
    wide: true,
    title: () => pick(layer.title, language()),
    render(body) {
      const place = h('div', {});
      const note = layer.abstract && h('p', { class: 'abstract' }, pick(layer.abstract, language()));
      body.append(...[note, layer.is_demonstration && demonstrationBadge(true), place].filter((each) => each instanceof Node));
      load(app, layer, place, () => fetchItems(layer.id, { limit: PAGE }), 0);
    },
  };
}

/**
 * @param {App} app
 * @param {Layer} layer
 * @param {HTMLElement} place
 * @param {() => Promise<Items>} fetchRows
 * @param {number} from how many rows stand before this page
 */
function load(app, layer, place, fetchRows, from) {
  void fillWhenLoaded(place, fetchRows, (items) => {
    if (!items.features.length) return [h('p', { class: 'muted' }, t('table.empty'))];
    return [pager(app, layer, place, items, from), table(app, layer, items)];
  });
}

/** @param {App} app @param {Layer} layer @param {HTMLElement} place @param {Items} items @param {number} from */
function pager(app, layer, place, items, from) {
  const lang = language();
  /** @param {string} rel @param {string} words @param {number} start */
  const button = (rel, words, start) => {
    const link = items.links.find((each) => each.rel === rel);
    return link && h('button', { type: 'button', class: 'button quiet', onclick: () => load(app, layer, place, () => fetchPage(link.href), start) }, words);
  };
  const range = { a: number(from + 1, lang), b: number(from + items.features.length, lang), n: number(items.numberMatched, lang) };
  return h(
    'div', { class: 'pager' }, h('span', { class: 'muted grow' }, t('table.range', range)),
    button('prev', t('table.prev'), Math.max(0, from - PAGE)), button('next', t('table.next'), from + items.features.length),
  );
}

/** @param {App} app @param {Layer} layer @param {Items} items */
function table(app, layer, items) {
  const lang = language();
  const filled = layer.fields.filter((field) => items.features.some(({ properties }) => valueInWords(field, properties[field.name], lang)));
  const label = layer.names.label;
  const fields = [...filled].sort((a, b) => Number(b.name === label) - Number(a.name === label));
  return h(
    'div', { class: 'table-frame', tabindex: '0', role: 'region', 'aria-label': pick(layer.title, lang) },
    h('table', {},
      h('thead', {}, h('tr', {}, fields.map((field) => h('th', { scope: 'col' }, pick(field.title, lang), field.unit && h('span', { class: 'unit' }, ` ${field.unit}`))))),
      h('tbody', {}, items.features.map(({ properties }) => h('tr', {}, fields.map((field, at) => {
        const text = valueInWords({ ...field, unit: null }, properties[field.name], lang);
        const open = () => app.openCard(layer.id, String(properties['uid']), { over: true, zoom: true });
        return at === 0
          ? h('th', { scope: 'row' }, h('button', { type: 'button', class: 'link', onclick: open }, text || String(properties['uid'])))
          : h('td', { class: typeof properties[field.name] === 'number' ? 'figure' : null }, text);
      }))))),
  );
}
