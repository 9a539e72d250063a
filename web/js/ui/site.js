/** Screening of a site: draw or drop it, say what is planned, read the verdict. */

import { keepReport, screenSite } from '../api.js';
import { boxOf, drawnAccuracy, guessCrs, kindOfCoordinates, positions, readSites, SiteError, swapped } from '../pure/site.js';
import { parseWkt, toWkt } from '../pure/wkt.js';
import { t } from '../words.js';
import { askCrs, askOne } from './dialog.js';
import { h, refill, renew } from './dom.js';
import { createLive } from './live.js';
import { trouble } from './loading.js';
import { siteForm } from './siteform.js';
import { clearVerdictMarks, showVerdict } from './verdict.js';

/** @typedef {import('geojson').Geometry} Geometry */
/** @typedef {import('../types').Answer} Answer */
/** @typedef {import('../types').App} App */
/** @typedef {import('../types').SiteQuery} SiteQuery */

/** Changes within this many milliseconds are asked about together. */
const PAUSE = 250;
/** Larger files are no parcels. */
const LARGEST_FILE = 5_000_000;

/**
 * What the user has put together so far.
 * @typedef {object} Draft
 * @property {Geometry | null} geometry in degrees, once known
 * @property {SiteQuery['site'] | null} site what is sent
 * @property {string} kind
 * @property {Record<string, unknown>} attributes only those stated
 * @property {number | undefined} accuracy_m
 * @property {string} lawDate '' = today
 */

/**
 * @param {App} app
 * @param {import('../map/draw.js').Drawing} drawing
 * @param {() => {lat: number, zoom: number}} view of the map just now
 * @param {(answer: import('../types').LiveAnswer | null) => void} showLive while a site is drawn
 */
export function createSite(app, drawing, view, showLive) {
  /** @type {Draft} */
  const draft = { geometry: null, site: null, kind: app.config.site_kinds[0]?.kind ?? 'new', attributes: {}, accuracy_m: undefined, lawDate: '' };
  /** @type {Answer | null} */
  let answer = null;
  /** @type {import('./report.js').Keeping | null} */
  let keeping = null;
  /** @type {unknown} */
  let failure = null;
  let waiting = false;
  let timer = 0;
  let wanted = new AbortController();
  /** What was said while drawing, where the exact answer says something else. @type {import('../types').Verdict | null} */
  let before = null;
  /** The last verdict while drawing, until the exact one is there. @type {import('../types').LiveAnswer | null} */
  let sketched = null;
  const form = h('div', {});
  const result = h('div', { class: 'result', 'aria-live': 'polite' });

  const showSite = () => app.highlights.show('site', drawing.editing() ? [] : [draft.geometry], 'site');

  const renderResult = () => {
    result.toggleAttribute('aria-busy', waiting);
    if (failure) return refill(result, trouble(failure, run));
    if (answer && keeping) return refill(result, before && h('p', { class: 'live-differs', role: 'note' }, t('site.live.differs', { before: t(`verdict.${before}`), now: t(`verdict.${answer.verdict}`) })), showVerdict(app, answer, keeping));
    if (waiting) return refill(result, h('p', { class: 'waiting' }, h('span', { class: 'spinner' }), t('site.screening')));
    return refill(result);
  };

  const renderForm = () => renew(form, siteForm(app, draft, { start, file, text, edit, clear, changed: runSoon, renew: renderForm, editing: drawing.editing }));

  const link = () => {
    app.store.set({ site: draft.geometry ? { wkt: toWkt(draft.geometry, 6), kind: draft.kind, attributes: worded(draft.attributes) } : null });
  };

  const run = async () => {
    if (!draft.site) return;
    wanted.abort();
    wanted = new AbortController();
    const { signal } = wanted;
    waiting = true;
    failure = null;
    renderResult();
    try {
      const query = queryOf(app, draft);
      answer = await screenSite(query, signal);
      before = sketched && sketched.verdict !== answer.verdict ? sketched.verdict : null;
      sketched = null;
      keeping = { kept: null, keep: () => keepReport(query) };
      draft.geometry = answer.site.geometry ?? draft.geometry;
    } catch (error) {
      if (signal.aborted) return;
      failure = error;
    }
    waiting = false;
    link();
    showSite();
    renderResult();
  };

  const runSoon = () => {
    clearTimeout(timer);
    timer = window.setTimeout(() => void run(), PAUSE);
  };

  /**
   * @param {SiteQuery['site']} site
   * @param {Geometry | null} geometry in degrees, null when the site is in another system
   * @param {number} [accuracy_m]
   */
  const take = async (site, geometry, accuracy_m) => {
    drawing.stopEditing();
    Object.assign(draft, { site, geometry, accuracy_m });
    answer = null;
    clearVerdictMarks(app);
    showSite();
    app.openSite();
    renderForm();
    await run();
    if (draft.geometry) app.showGeometry(draft.geometry, 17);
  };

  /** @param {import('../map/draw.js').ShapeKind} shape */
  const start = async (shape) => {
    app.highlights.clear('site');
    await drawing.start(shape).catch(app.fail);
  };

  /** @param {string} content */
  const text = async (content) => {
    try {
      const sites = readSites(content);
      const at = sites.length > 1 ? await askOne(t('site.which', { n: sites.length }), sites.map((site, i) => `${i + 1}. ${site.name || site.geometry.type}`)) : 0;
      const site = at === null ? undefined : sites[at];
      if (site) await place(site);
    } catch (error) {
      if (!(error instanceof SiteError)) throw error;
      app.notify([t(error.key), error.message === error.key ? '' : error.message].filter(Boolean).join(' '), 'trouble');
    }
  };

  /** Send what was read in the system it is in. @param {import('../pure/site.js').Site} site */
  const place = async ({ geometry, crs }) => {
    const { extent } = app.config.district;
    const kind = kindOfCoordinates(boxOf(geometry), extent);
    if (kind === 'degrees') return take(geometry, geometry);
    const [first] = positions(geometry);
    const sample = (first ?? []).join(', ');
    if (kind === 'swapped') {
      const told = await askCrs([], sample, true);
      return told && take(told.swap ? swapped(geometry) : geometry, told.swap ? swapped(geometry) : geometry);
    }
    if (kind === 'elsewhere' && !crs) return take(geometry, geometry);
    const guesses = guessCrs(first?.[0] ?? 0, (extent[0] + extent[2]) / 2);
    const told = await askCrs([...new Set([crs, ...guesses].filter((each) => each !== null))], sample, false);
    return told && take({ wkt: toWkt(geometry), crs: told.crs }, null);
  };

  /** @param {File} chosen */
  const file = async (chosen) => {
    if (chosen.size > LARGEST_FILE) app.notify(t('site.error.large'), 'trouble');
    else await text(await chosen.text()).catch(app.fail);
  };

  const edit = async () => {
    if (drawing.editing()) drawing.stopEditing();
    else if (draft.geometry) await drawing.edit(draft.geometry).catch(app.fail);
    showSite();
    renderForm();
  };

  const clear = () => {
    wanted.abort();
    drawing.cancel();
    drawing.stopEditing();
    Object.assign(draft, { geometry: null, site: null, attributes: {}, accuracy_m: undefined });
    answer = failure = null;
    waiting = false;
    clearVerdictMarks(app);
    app.highlights.clear('site');
    link();
    renderForm();
    renderResult();
  };

  const accuracyNow = () => drawnAccuracy(view().lat, view().zoom);

  const live = createLive((geometry) => queryOf(app, { ...draft, geometry, site: geometry, accuracy_m: accuracyNow() }), showLive);

  return {
    live,

    /** @returns {import('./panel.js').View} */
    view: () => ({
      kind: 'site',
      title: () => t('site.title'),
      render(body) {
        renderForm();
        renderResult();
        body.append(form, result);
      },
      shown: () => { showSite(); if (answer) renderResult(); },
      left: () => { drawing.cancel(); clearVerdictMarks(app); },
    }),

    /** A site drawn by hand. @param {Geometry} geometry */
    drawn(geometry) {
      sketched = live.done();
      void take(geometry, geometry, accuracyNow());
    },

    /** The same site with its shape changed. @param {Geometry} geometry */
    edited(geometry) {
      Object.assign(draft, { geometry, site: geometry, accuracy_m: accuracyNow() });
      runSoon();
    },

    /** A site from a feature of the map. @param {Geometry} geometry @param {string} kind @param {number} [accuracy_m] */
    screen(geometry, kind, accuracy_m) {
      draft.kind = kind;
      void take(geometry, geometry, accuracy_m);
    },

    /** A site from a link. @param {string} wkt @param {string | null} kind @param {Readonly<Record<string, string>>} attributes */
    restore(wkt, kind, attributes) {
      try {
        draft.kind = kind ?? draft.kind;
        draft.attributes = typed(app, attributes);
        const { geometry } = parseWkt(wkt);
        void take(geometry, geometry);
      } catch {
        app.notify(t('site.error.link'), 'trouble');
      }
    },

    file,
    drawingChanged: renderForm,
  };
}

/** Attributes as a link writes them. @param {Draft['attributes']} attributes */
function worded(attributes) {
  return Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, String(value)]));
}

/** Attributes of a link as their fields have them; unknown ones are left out. @param {App} app @param {Readonly<Record<string, string>>} attributes */
function typed(app, attributes) {
  return Object.fromEntries(app.config.site_fields.flatMap(({ name, type }) => {
    const text = attributes[name];
    if (!text) return [];
    const isNumber = type === 'number' || type === 'integer';
    return [[name, type === 'boolean' ? text === 'true' : isNumber ? Number(text) : text]];
  }));
}

/** @param {App} app @param {Draft} draft @returns {SiteQuery} */
function queryOf(app, draft) {
  const asked = app.config.site_fields.filter((field) => field.kinds.includes(draft.kind)).map((field) => field.name);
  return {
    site: /** @type {SiteQuery['site']} */ (draft.site),
    kind: draft.kind,
    attributes: Object.fromEntries(Object.entries(draft.attributes).filter(([name]) => asked.includes(name))),
    ...(draft.accuracy_m === undefined ? {} : { accuracy_m: draft.accuracy_m }),
    ...(draft.lawDate ? { law_date: draft.lawDate } : {}),
  };
}
