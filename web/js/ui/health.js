/** How well each layer stands: a mark in the tree, and a card with the reasons and what each source promises. */

import { fetchHealth } from '../api.js';
import { ago, date, metres, number, percent, pick } from '../pure/format.js';
import { language, t } from '../words.js';
import { demonstrationBadge } from './badges.js';
import { h, icon, iconButton } from './dom.js';
import { fillWhenLoaded } from './loading.js';

/** @typedef {import('../types').App} App */
/** @typedef {import('../types').HealthCard} HealthCard */
/** @typedef {import('../types').HealthState} HealthState */
/** @typedef {import('../types').Layer} Layer */

/** Each state has a shape of its own beside its colour. @type {Record<HealthState, string>} */
const ICONS = { green: 'clear', amber: 'warning', red: 'conflict', grey: 'unknown' };
const ASK_AGAIN_MS = 5 * 60_000;

/**
 * Keep the cards in the state: asked for once the map stands, after each change of the data, and now and then.
 * @param {App} app
 */
export function followHealth(app) {
  const { store } = app;
  const ask = () => {
    if (document.hidden) return;
    // A map without marks is still a map: trouble here is told only where somebody looks at a card.
    fetchHealth().then(({ layers }) => store.set({ health: new Map(layers.map((card) => [card.layer, card])) }), () => undefined);
  };
  const patient = window.requestIdleCallback ?? ((/** @type {() => void} */ call) => window.setTimeout(call, 500));
  patient(ask);
  store.subscribe(['revision'], ask);
  window.setInterval(ask, ASK_AGAIN_MS);
}

/**
 * The mark of a layer in the tree; hidden until its card is known.
 * @param {App} app
 * @param {Layer} layer
 */
export function healthMark(app, layer) {
  const button = iconButton('unknown', '', () => app.openHealth(layer.id), { class: 'icon-button health-mark', hidden: true });
  renewHealthMark(button, layer, app.store.get().health?.get(layer.id));
  return button;
}

/**
 * @param {HTMLElement} button
 * @param {Layer} layer
 * @param {HealthCard | undefined} card
 */
export function renewHealthMark(button, layer, card) {
  button.hidden = !card;
  if (!card) return;
  const words = t('health.mark', { layer: pick(layer.title, language()), state: t(`health.${card.state}`) });
  button.className = `icon-button health-mark health-${card.state}`;
  button.setAttribute('aria-label', words);
  button.title = `${words}${card.reasons.map((reason) => `\n${reason[language()]}`).join('')}`;
  button.replaceChildren(icon(ICONS[card.state]));
}

/**
 * @param {App} app
 * @param {Layer} layer
 * @returns {import('./panel.js').View}
 */
export function healthView(app, layer) {
  return {
    kind: 'health',
    title: () => t('health.title', { layer: pick(layer.title, language()) }),
    render(body) {
      void fillWhenLoaded(body, () => fetchHealth(), ({ layers }) => {
        app.store.set({ health: new Map(layers.map((card) => [card.layer, card])) });
        const card = layers.find((each) => each.layer === layer.id);
        return card ? [headline(card), reasons(card), facts(card), ...card.sources.map(source)] : [];
      });
    },
  };
}

/** @param {HealthCard} card */
function headline(card) {
  return h('div', { class: `health-headline health-${card.state}` },
    icon(ICONS[card.state]), h('div', {}, h('strong', {}, t(`health.${card.state}`)), h('span', {}, t(`health.${card.state}.means`))));
}

/** @param {HealthCard} card */
function reasons(card) {
  return h('ul', { class: 'health-reasons' }, card.reasons.map((reason) =>
    h('li', { class: `health-${reason.state}` }, icon(ICONS[reason.state]), h('span', {}, reason[language()]))));
}

/** @param {HealthCard} card */
function facts(card) {
  const lang = language();
  const { accuracy, judging } = card;
  const rows = card.expected_rows === null ? number(card.rows, lang, 0)
    : t('health.rows.of', { n: number(card.rows, lang, 0), expected: number(card.expected_rows, lang, 0) });
  return list([
    [t('health.rows'), rows],
    [t('health.confirmed'), when(card.confirmed_at)],
    [t('health.due'), card.due_at ? date(card.due_at, lang) : ''],
    [t('health.rejects'), card.open_rejects ? number(card.open_rejects, lang, 0) : ''],
    [t('health.coverage'), card.coverage_share === null ? '' : t('health.coverage.share', { share: percent(card.coverage_share, lang) })],
    [t('health.accuracy.worst'), accuracy.worst_m === null ? '' : `± ${metres(accuracy.worst_m, lang)}`],
    [t('health.accuracy.typical'), accuracy.typical_m === null ? '' : `± ${metres(accuracy.typical_m, lang)}`],
    [t('health.accuracy.unknown'), accuracy.unknown_share ? percent(accuracy.unknown_share, lang) : ''],
    [t('health.judged'), judging ? t('source.since', { rev: String(judging.revision) }) : ''],
  ]);
}

/** @param {import('../types').SourceHealth} entry */
function source(entry) {
  const lang = language();
  return h(
    'section', { class: 'card-section' },
    h('h4', {}, pick(entry.title, lang) || entry.name, ' ', demonstrationBadge(entry.is_demonstration, true)),
    list([
      [t('health.bureau'), entry.bureau ?? ''],
      [t('health.contact'), entry.contact ?? ''],
      [t('health.licence'), entry.licence ?? ''],
      [t('health.rhythm'), entry.rhythm_words ? pick(entry.rhythm_words, lang) : t('health.rhythm.none')],
      [t('health.rows'), number(entry.rows, lang, 0)],
      [t('health.confirmed'), when(entry.confirmed_at)],
    ]),
    entry.harvests.map((harvest) => h('p', { class: 'hint' },
      t('health.harvest', { name: harvest.name, kind: harvest.kind, state: t(`health.harvest.${harvest.state ?? 'waiting'}`) }),
      harvest.last_at ? ` ${when(harvest.last_at)}` : '',
      harvest.failures > 0 && harvest.error && h('span', { class: 'health-error' }, harvest.error[lang]))),
  );
}

/** @param {string | null} at */
function when(at) {
  return at ? `${date(at, language())} · ${ago(at, new Date(), language())}` : '';
}

/** @param {[string, string][]} rows those without words are left out */
function list(rows) {
  return h('dl', { class: 'facts small' }, rows.filter(([, text]) => text).flatMap(([title, text]) => [h('dt', {}, title), h('dd', {}, text)]));
}
