/** The state that a link carries: view, layers, opacity, language, selection, panel, drawn site. */

/** @typedef {import('../types').Lang} Lang */

/**
 * @typedef {object} LinkState
 * @property {{lon: number, lat: number, zoom: number} | null} view
 * @property {string[] | null} layers visible layers; null = as the definitions say
 * @property {Record<string, number>} opacity 0 to 1, only those changed
 * @property {Lang | null} lang
 * @property {{layer: string, uid: string} | null} selection
 * @property {string | null} panel
 * @property {string | null} raster
 * @property {string | null} basemap
 * @property {string | null} site WKT in longitude and latitude
 * @property {string | null} kind
 * @property {Readonly<Record<string, string>>} attributes of the site, only those stated
 * @property {string | null} importing id of an import under way
 * @property {string | null} ledger filter of the conflicts, as pure/ledger.js writes it
 */

/** Longer sites are not written into the link: browsers and chat programs cut long ones. */
const LONGEST_SITE = 1500;

/**
 * The fragment (without '#') of a state.
 * @param {LinkState} state
 */
export function encode(state) {
  /** @type {[string, string][]} */
  const pairs = [];
  if (state.view) {
    const { zoom, lat, lon } = state.view;
    pairs.push(['map', `${zoom}/${lat.toFixed(5)}/${lon.toFixed(5)}`]);
  }
  if (state.layers) pairs.push(['layers', state.layers.join(',')]);
  const faded = Object.entries(state.opacity).filter(([, value]) => value < 1);
  if (faded.length) pairs.push(['opacity', faded.map(([id, value]) => `${id}:${value}`).join(',')]);
  if (state.raster) pairs.push(['raster', state.raster]);
  if (state.basemap) pairs.push(['base', state.basemap]);
  if (state.lang) pairs.push(['lang', state.lang]);
  if (state.panel) pairs.push(['panel', state.panel]);
  if (state.ledger) pairs.push(['ledger', state.ledger]);
  if (state.importing) pairs.push(['import', state.importing]);
  if (state.selection) pairs.push(['sel', `${state.selection.layer}/${state.selection.uid}`]);
  if (state.site && state.site.length <= LONGEST_SITE) {
    pairs.push(['site', state.site]);
    if (state.kind) pairs.push(['kind', state.kind]);
    const stated = Object.entries(state.attributes);
    if (stated.length) pairs.push(['facts', stated.map(([name, value]) => `${name}:${value}`).join(',')]);
  }
  return pairs.map(([key, value]) => `${key}=${escape(value)}`).join('&');
}

/**
 * The state of a fragment; what cannot be read is left out, never an error.
 * @param {string} fragment with or without '#'
 * @returns {LinkState}
 */
export function decode(fragment) {
  const pairs = new Map(fragment.replace(/^#/, '').split('&').map(pair));
  const lang = pairs.get('lang');
  return {
    view: view(pairs.get('map')),
    layers: pairs.has('layers') ? words(pairs.get('layers')) : null,
    opacity: opacities(pairs.get('opacity')),
    lang: lang === 'zh' || lang === 'en' ? lang : null,
    selection: selection(pairs.get('sel')),
    panel: pairs.get('panel') || null,
    raster: pairs.get('raster') || null,
    basemap: pairs.get('base') || null,
    site: pairs.get('site') || null,
    kind: pairs.get('kind') || null,
    attributes: Object.fromEntries(words(pairs.get('facts')).map(named)),
    ledger: pairs.get('ledger') || null,
    importing: /^[\w-]{22}$/.exec(pairs.get('import') ?? '')?.[0] ?? null,
  };
}

/** Readable in the address bar: only what would break the fragment is escaped. @param {string} value */
function escape(value) {
  return encodeURIComponent(value).replace(/%(2F|2C|3A|28|29|7C|20)/g, (code) =>
    code === '%20' ? '+' : decodeURIComponent(code),
  );
}

/** @param {string} text @returns {[string, string]} */
function pair(text) {
  const at = text.indexOf('=');
  if (at < 0) return [text, ''];
  try {
    return [text.slice(0, at), decodeURIComponent(text.slice(at + 1).replaceAll('+', '%20'))];
  } catch {
    return [text.slice(0, at), ''];
  }
}

/** @param {string | undefined} text */
function words(text) {
  return (text ?? '').split(',').filter(Boolean);
}

/** "name:value" in two. @param {string} word @returns {[string, string]} */
function named(word) {
  const at = word.indexOf(':');
  return at < 0 ? [word, ''] : [word.slice(0, at), word.slice(at + 1)];
}

/** @param {string | undefined} text */
function view(text) {
  const [zoom, lat, lon] = (text ?? '').split('/').map(Number);
  if (zoom === undefined || lat === undefined || lon === undefined) return null;
  if (![zoom, lat, lon].every(Number.isFinite) || Math.abs(lat) > 90 || zoom < 0 || zoom > 24) return null;
  return { zoom, lat, lon };
}

/** @param {string | undefined} text */
function opacities(text) {
  /** @type {Record<string, number>} */
  const found = {};
  for (const word of words(text)) {
    const [id, value] = word.split(':');
    const number = Number(value);
    if (id && Number.isFinite(number) && number >= 0 && number <= 1) found[id] = number;
  }
  return found;
}

/** @param {string | undefined} text */
function selection(text) {
  const at = (text ?? '').indexOf('/');
  if (!text || at < 1 || at === text.length - 1) return null;
  return { layer: text.slice(0, at), uid: text.slice(at + 1) };
}
