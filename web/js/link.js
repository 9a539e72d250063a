/** The link of the page: what it opens with, and what is written back as things change. */

import { encode } from './pure/hash.js';
import { decodeLedger, encodeLedger } from './pure/ledger.js';
import { language } from './words.js';

/** @typedef {import('./pure/hash.js').LinkState} LinkState */
/** @typedef {import('./types').App} App */
/** @typedef {import('./types').Config} Config */
/** @typedef {import('./types').Lang} Lang */

/** Keys of the state that a link carries. @type {readonly import('./state').Key[]} */
const LINKED = ['lang', 'visible', 'opacity', 'raster', 'basemap', 'selection', 'view', 'panel', 'site', 'ledger', 'importing'];

/** Panels that a link opens again. */
const LINKED_PANELS = new Set(['conflicts', 'site', 'import']);

/** The language of the link, else of the browser, else Chinese. @param {Lang | null} linked @returns {Lang} */
export function firstLanguage(linked) {
  if (linked) return linked;
  const chinese = navigator.languages.some((each) => each.startsWith('zh'));
  return !chinese && navigator.language.startsWith('en') ? 'en' : 'zh';
}

/**
 * What the page begins with: the link's, else the district's own.
 * @param {Config} config
 * @param {LinkState} link
 * @param {ReadonlySet<string>} defaultVisible
 * @returns {import('./state').State}
 */
export function initialState(config, link, defaultVisible) {
  const { center, zoom } = config.district.view;
  const known = new Set(config.layers.map((layer) => layer.id));
  return {
    lang: language(),
    visible: link.layers ? new Set(link.layers.filter((id) => known.has(id))) : defaultVisible,
    opacity: link.opacity,
    raster: link.raster,
    basemap: link.basemap ?? config.basemaps[0]?.id ?? null,
    selection: null,
    view: link.view ?? { lon: center[0], lat: center[1], zoom },
    panel: null,
    site: null,
    ledger: decodeLedger(link.ledger),
    realConflicts: null,
    revision: config.revision,
    health: null,
    importing: null,
    session: null,
    loading: 0,
  };
}

/**
 * Open what the link points at, then keep the link up to date.
 * @param {App} app
 * @param {LinkState} link
 * @param {ReturnType<typeof import('./ui/site.js').createSite>} site
 * @param {(id: string) => Promise<void>} resume goes on with an import
 */
export function openLinked(app, link, site, resume) {
  if (link.importing && link.panel === 'import') void resume(link.importing);
  else if (link.site) site.restore(link.site, link.kind, link.attributes);
  else if (link.selection) app.openCard(link.selection.layer, link.selection.uid);
  else if (link.panel === 'conflicts') app.openConflicts();
  else if (link.panel === 'site') app.openSite();
  else if (link.panel === 'import') app.openImport();
  app.store.subscribe([...LINKED], () => writeLink(app));
}

/** @param {App} app */
function writeLink({ store, defaultVisible }) {
  const { view, visible, opacity, lang, selection, panel, raster, basemap, site, ledger, importing } = store.get();
  const usual = visible.size === defaultVisible.size && [...visible].every((id) => defaultVisible.has(id));
  const hash = encode({
    view, lang, selection, raster, basemap,
    layers: usual ? null : [...visible],
    opacity: { ...opacity },
    panel: panel && LINKED_PANELS.has(panel) ? panel : null,
    site: site?.wkt ?? null,
    kind: site?.kind ?? null,
    attributes: site?.attributes ?? {},
    ledger: encodeLedger(ledger),
    importing,
  });
  history.replaceState(null, '', `#${hash}`);
}
