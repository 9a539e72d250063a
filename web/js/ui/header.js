/** Brand and search above the map, and the buttons that open the panels. */

import { pick } from '../pure/format.js';
import { language, t } from '../words.js';
import { h, icon, refill, renew } from './dom.js';

/** @typedef {import('../types').App} App */
/** @typedef {import('../types').Lang} Lang */

/** What each language calls itself. @type {Record<Lang, string>} */
const OWN_NAMES = { zh: '中文', en: 'English' };

/**
 * @param {HTMLElement} header
 * @param {HTMLElement} nav
 * @param {App} app
 * @param {{search: HTMLElement, toggleLayers: () => void, openConflicts: () => void, openSite: () => void, openImport: () => void, home: () => void,
 *   account: () => HTMLElement | null,
 *   switchLanguage: (lang: Lang) => void}} on
 */
export function createHeader(header, nav, app, on) {
  const { config, store } = app;
  const ledger = app.layers.get(app.conflictsLayer);

  const brand = () => h(
    'button', { type: 'button', class: 'brand', 'data-key': 'brand', onclick: on.home, title: t('brand.home') },
    h('img', { src: 'web/img/icon.svg', alt: '', width: 32, height: 32 }),
    h('span', { class: 'brand-words' }, h('strong', {}, t('brand.title', { district: pick(config.district.name, language()) })), h('small', {}, t('brand.sub'))),
  );

  const languageButton = () => {
    const others = config.district.languages.filter((lang) => lang !== language());
    return others.map((lang) => h(
      'button', { type: 'button', class: 'lang', 'data-key': lang, lang: lang === 'zh' ? 'zh-CN' : 'en', 'aria-label': OWN_NAMES[lang], onclick: () => on.switchLanguage(lang) }, lang === 'zh' ? '中' : 'EN',
    ));
  };

  /** @param {string} kind @param {string} name @param {string} words @param {() => void} onclick @param {string} [count] */
  const button = (kind, name, words, onclick, count = '') => h(
    'button', { type: 'button', class: `nav-button nav-${kind}`, 'data-key': kind, 'aria-pressed': String(pressed(kind)), onclick },
    icon(name), h('span', {}, words), count && h('b', { class: 'pill' }, count),
  );

  /** @param {string} kind */
  const pressed = (kind) => (kind === 'layers' ? document.body.classList.contains('layers-open') : store.get().panel === kind);

  // The search stays where it is: an input that is moved loses the focus, and its list closes.
  const brandRow = h('div', { class: 'brand-row' });
  refill(header, brandRow, on.search);

  const render = () => {
    const real = store.get().realConflicts;
    document.title = `${t('brand.title', { district: pick(config.district.name, language()) })} · onemap`;
    renew(brandRow, brand(), on.account(), ...languageButton());
    nav.setAttribute('aria-label', t('nav.label'));
    renew(
      nav,
      button('layers', 'layers', t('nav.layers'), on.toggleLayers),
      ledger && button('conflicts', 'warning', t('nav.conflicts'), on.openConflicts, real ? compact(real) : ''),
      button('site', 'site', t('nav.site'), on.openSite),
      button('import', 'upload', t('nav.import'), on.openImport),
    );
  };
  store.subscribe(['lang', 'panel', 'realConflicts', 'session'], render);
  render();
  return { render };
}

/** @param {number} count */
function compact(count) {
  return count < 10_000 ? String(count) : `${Math.round(count / 1000)}k`;
}
