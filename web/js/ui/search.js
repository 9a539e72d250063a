/** The search box: names of all layers, and positions typed as longitude and latitude. */

import { fetchHits } from '../api.js';
import { pick, position } from '../pure/format.js';
import { parsePosition } from '../pure/position.js';
import { language, t } from '../words.js';
import { freshId, h, icon, refill } from './dom.js';
import { errorWords } from './loading.js';

/** @typedef {import('../types').App} App */
/** @typedef {{title: string, note: string, go: () => void}} Choice */

/** Waiting for the next key, in milliseconds. */
const PAUSE = 180;

/** @param {App} app */
export function createSearch(app) {
  const listId = freshId('hits');
  const input = h('input', {
    type: 'search', class: 'search-input', role: 'combobox', autocomplete: 'off', spellcheck: 'false', enterkeyhint: 'search',
    'aria-autocomplete': 'list', 'aria-expanded': 'false', 'aria-controls': listId,
  });
  const list = h('ul', { id: listId, class: 'hits', role: 'listbox', hidden: true });
  /** @type {Choice[]} */
  let choices = [];
  let active = -1;
  let timer = 0;
  let wanted = new AbortController();

  const close = () => {
    list.hidden = true;
    input.setAttribute('aria-expanded', 'false');
    input.removeAttribute('aria-activedescendant');
    active = -1;
  };

  /** @param {Choice} choice */
  const take = (choice) => {
    close();
    input.blur();
    choice.go();
  };

  /** @param {string} [message] shown when there is nothing to choose */
  const show = (message) => {
    refill(list, choices.map((choice, at) => h(
      'li', { id: `${listId}-${at}`, role: 'option', 'aria-selected': String(at === active), class: 'hit', onmousedown: (/** @type {Event} */ event) => event.preventDefault(), onclick: () => take(choice) },
      h('span', { class: 'row-title' }, choice.title), h('span', { class: 'row-sub' }, choice.note),
    )), message && h('li', { class: 'hit none', role: 'option', 'aria-disabled': 'true' }, message));
    list.hidden = false;
    input.setAttribute('aria-expanded', 'true');
  };

  const look = async () => {
    const text = input.value.trim();
    wanted.abort();
    wanted = new AbortController();
    const { signal } = wanted;
    if (!text) {
      choices = [];
      close();
      return;
    }
    choices = placeChoices(app, text);
    try {
      const hits = await fetchHits(text, signal);
      choices.push(...hits.flatMap((hit) => hitChoice(app, hit)));
      show(choices.length ? '' : t('search.none'));
    } catch (error) {
      if (!signal.aborted) show(errorWords(error).detail);
    }
  };

  input.addEventListener('input', () => {
    clearTimeout(timer);
    timer = window.setTimeout(() => void look(), PAUSE);
  });
  input.addEventListener('focus', () => { if (choices.length) show(); });
  input.addEventListener('blur', () => setTimeout(close, 120));
  input.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && !list.hidden) { close(); event.preventDefault(); }
    if (event.key === 'Enter') {
      const choice = choices[Math.max(0, active)];
      if (choice && !list.hidden) take(choice);
    }
    if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return;
    event.preventDefault();
    if (!choices.length) return;
    active = (active + (event.key === 'ArrowDown' ? 1 : choices.length - 1) + (active < 0 && event.key === 'ArrowUp' ? 1 : 0)) % choices.length;
    show();
    input.setAttribute('aria-activedescendant', `${listId}-${active}`);
    document.getElementById(`${listId}-${active}`)?.scrollIntoView({ block: 'nearest' });
  });

  const element = h('div', { class: 'search', role: 'search' }, icon('search'), input, list);
  const name = () => {
    input.placeholder = t('search.hint');
    input.setAttribute('aria-label', t('search.label'));
    list.setAttribute('aria-label', t('search.results'));
  };
  app.store.subscribe(['lang'], name);
  name();
  return { element, focus: () => input.focus() };
}

/** @param {App} app @param {import('../types').Hit} hit @returns {Choice[]} */
function hitChoice(app, hit) {
  const layer = app.layers.get(hit.layer);
  if (!layer) return [];
  return [{
    title: hit.label || hit.uid,
    note: pick(layer.title, language()),
    go: () => app.openCard(hit.layer, hit.uid, { zoom: true }),
  }];
}

/** @param {App} app @param {string} text @returns {Choice[]} */
function placeChoices(app, text) {
  const place = parsePosition(text, app.config.district.extent);
  if (!place) return [];
  const { lon, lat } = place;
  return [{
    title: position(lon, lat),
    note: t('search.position'),
    go: () => {
      app.highlights.show('hover', [{ type: 'Point', coordinates: [lon, lat] }], 'hover');
      app.showBox([lon, lat, lon, lat], 15);
    },
  }];
}
