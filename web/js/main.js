/** Puts the parts together. The only module that looks up elements of the page. */

import { fetchConfig, fetchConflictSummary } from './api.js';
import { createDrawing } from './map/draw.js';
import { createHighlights } from './map/highlight.js';
import { baseLayer, createMap, showBox, showDistrict } from './map/map.js';
import { createRasterLayer } from './map/raster.js';
import { createVectorStack } from './map/tiles.js';
import { decode, encode } from './pure/hash.js';
import { decodeLedger, encodeLedger, ledgerQuery } from './pure/ledger.js';
import { boxOf } from './pure/site.js';
import { isNarrow } from './screen.js';
import { createStore, switched } from './state.js';
import { bindClicks } from './ui/clicks.js';
import { cardView } from './ui/card.js';
import { chooserView, membersView } from './ui/chooser.js';
import { conflictsView } from './ui/conflicts.js';
import { h } from './ui/dom.js';
import { createHeader } from './ui/header.js';
import { errorWords, trouble } from './ui/loading.js';
import { createNotices } from './ui/notices.js';
import { createPanel } from './ui/panel.js';
import { verdictPatterns } from './ui/patterns.js';
import { createSearch } from './ui/search.js';
import { createSite } from './ui/site.js';
import { acceptDrops, createStage } from './ui/stage.js';
import { tableView } from './ui/table.js';
import { createTree } from './ui/tree.js';
import { pick } from './pure/format.js';
import { hasWords, language, t, useLanguage } from './words.js';

/** @typedef {import('./types').App} App */
/** @typedef {import('./types').Config} Config */
/** @typedef {import('./types').Lang} Lang */

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** The language of the link, else of the browser, else the district's first. @param {Lang | null} linked @returns {Lang} */
function firstLanguage(linked) {
  return linked ?? (navigator.languages.some((each) => each.startsWith('zh')) ? 'zh' : navigator.language.startsWith('en') ? 'en' : 'zh');
}

async function start() {
  const link = decode(location.hash);
  const asked = fetchConfig();
  // Both are under way at once, but a refusal can be told only in words.
  asked.catch(() => undefined);
  await useLanguage(firstLanguage(link.lang));
  build(await asked, link);
  byId('start').remove();
}

/** @param {Config} config @param {import('./pure/hash.js').LinkState} link */
function build(config, link) {
  const layers = new Map(config.layers.map((layer) => [layer.id, layer]));
  const drawn = config.layers.filter((layer) => layer.geometry !== 'none');
  const defaultVisible = new Set(drawn.filter((layer) => layer.visible).map((layer) => layer.id));
  const { center, zoom } = config.district.view;
  const store = createStore({
    lang: language(),
    visible: link.layers ? new Set(link.layers.filter((id) => layers.has(id))) : defaultVisible,
    opacity: link.opacity,
    raster: link.raster,
    basemap: link.basemap ?? config.basemaps[0]?.id ?? null,
    selection: null,
    view: link.view ?? { lon: center[0], lat: center[1], zoom },
    panel: null,
    site: null,
    ledger: decodeLedger(link.ledger),
    realConflicts: null,
    loading: 0,
  });
  const map = createMap(byId('map'), config, link.view);
  document.body.append(verdictPatterns());
  const highlights = createHighlights(map);
  const notices = createNotices(byId('notices'));
  const panel = createPanel(byId('panel'), (kind) => {
    store.set({ panel: kind });
    document.body.classList.toggle('panel-open', kind !== null);
    if (kind && isNarrow()) setLayers(false);
  });
  const covers = [byId('header'), byId('layers'), byId('panel'), byId('nav')];

  /** @type {App} */
  const app = {
    config, store, layers, defaultVisible, highlights, conflictsLayer: config.conflicts_layer ?? '',
    showBox: (box, maxZoom) => showBox(map, box, covers, maxZoom),
    showGeometry: (geometry, maxZoom) => { if (geometry) showBox(map, boxOf(geometry), covers, maxZoom); },
    openCard(id, uid, { over = false, zoom: toFeature = false } = {}) {
      const layer = layers.get(id);
      if (!layer) return;
      if (toFeature && layer.geometry !== 'none') store.set({ visible: switched(store.get().visible, id, true) });
      panel.open(cardView(app, layer, uid, { zoom: toFeature }), { over });
    },
    openChooser: (picked) => panel.open(chooserView(app, picked)),
    openMembers(id, box) {
      const layer = layers.get(id);
      if (layer) panel.open(membersView(app, layer, box), { over: panel.kind() === 'chooser' });
    },
    openTable(id) {
      const layer = layers.get(id);
      if (layer) panel.open(tableView(app, layer));
    },
    openConflicts: () => panel.open(conflictsView(app)),
    openSite: () => { if (panel.kind() !== 'site') panel.open(site.view()); },
    screen: (geometry, kind, accuracy) => site.screen(geometry, kind, accuracy),
    notify: notices.notify,
    fail: (error) => notices.notify(Object.values(errorWords(error)).filter(Boolean).join(' '), 'trouble'),
  };

  const stack = createVectorStack(map, config.layers, (layer) => store.get().opacity[layer.id] ?? 1, {
    onWork: (change) => store.set({ loading: store.get().loading + change }),
    onTrouble: (layer, error) => notices.notify(`${t('tiles.trouble', { layer: pick(layer.title, language()) })} ${errorWords(error).detail}`, 'trouble'),
  });
  const drawing = createDrawing(map, {
    drawn: (geometry) => site.drawn(geometry),
    edited: (geometry) => site.edited(geometry),
    active: (active) => stage.drawing(active),
  });
  const site = createSite(app, drawing, () => ({ lat: map.getCenter().lat, zoom: map.getZoom() }));

  const home = () => showDistrict(map, config, covers);
  /** @param {boolean} open */
  const setLayers = (open) => {
    document.body.classList.toggle('layers-open', open);
    byId('layers').hidden = !open;
    header.render();
  };
  /** @param {string} kind @param {() => void} open */
  const toggle = (kind, open) => () => (panel.kind() === kind ? panel.close() : open());
  const search = createSearch(app);
  const header = createHeader(byId('header'), byId('nav'), app, {
    search: search.element,
    toggleLayers() {
      const open = !document.body.classList.contains('layers-open');
      if (open && isNarrow()) panel.close();
      setLayers(open);
    },
    openConflicts: toggle('conflicts', app.openConflicts),
    openSite: toggle('site', app.openSite),
    home,
    async switchLanguage(lang) {
      await useLanguage(lang);
      store.set({ lang });
    },
  });
  const stage = createStage(byId('badges'), app, {
    zoomIn: () => map.zoomIn(), zoomOut: () => map.zoomOut(), home, cancelDrawing: drawing.cancel,
  });
  createTree(byId('layers'), app, () => setLayers(false));
  setLayers(!isNarrow());
  if (!link.view) home();
  acceptDrops((file) => void site.file(file));
  bindClicks(map, app, stack, drawing, stage.point);
  followState(map, app, stack, panel);
  if (app.conflictsLayer) {
    void fetchConflictSummary().then((summary) => store.set({ realConflicts: summary.by_verdict.conflict ?? 0 }), app.fail);
  }
  openLinked(app, link, site, () => store.subscribe([...LINKED], () => writeLink(app)));
}

/** Keys of the state that a link carries. @type {readonly import('./state').Key[]} */
const LINKED = ['lang', 'visible', 'opacity', 'raster', 'basemap', 'selection', 'view', 'panel', 'site', 'ledger'];

/**
 * The map and the panel follow the state.
 * @param {import('leaflet').Map} map
 * @param {App} app
 * @param {import('./map/tiles.js').VectorStack} stack
 * @param {import('./ui/panel.js').Panel} panel
 */
function followState(map, app, stack, panel) {
  const { store, config } = app;
  const rasters = createRasterLayer(map, config.rasters);
  /** @type {import('leaflet').TileLayer | null} */
  let base = null;
  const showBase = () => {
    base?.remove();
    const chosen = config.basemaps.find((each) => each.id === store.get().basemap);
    base = chosen ? baseLayer(chosen).addTo(map) : null;
  };
  const showRaster = () => {
    const { raster, opacity } = store.get();
    rasters.show(raster, opacityOfRaster(config, raster, opacity));
  };
  const name = () => map.getContainer().setAttribute('aria-label', t('stage.map'));
  store.subscribe(['visible'], ({ visible }) => stack.show(visible));
  store.subscribe(['opacity'], stack.repaint);
  store.subscribe(['raster', 'opacity'], showRaster);
  store.subscribe(['basemap'], showBase);
  store.subscribe(['lang'], () => { name(); panel.refresh(); });
  store.subscribe(['ledger'], ({ ledger, visible }) => {
    stack.filter(app.conflictsLayer, ledgerQuery(ledger));
    stack.show(visible);
  });
  map.on('moveend', () => {
    const { lng, lat } = map.getCenter();
    store.set({ view: { lon: lng, lat, zoom: map.getZoom() } });
  });
  stack.filter(app.conflictsLayer, ledgerQuery(store.get().ledger));
  stack.show(store.get().visible);
  showBase();
  showRaster();
  name();
}

/**
 * The opacity a raster is shown with: the user's choice, else that of its settings.
 * @param {Config} config
 * @param {string | null} id
 * @param {Readonly<Record<string, number>>} chosen
 */
function opacityOfRaster(config, id, chosen) {
  return (id ? chosen[id] : undefined) ?? config.rasters.find((each) => each.id === id)?.opacity ?? 1;
}

/**
 * Open what the link points at, then keep the link up to date.
 * @param {App} app
 * @param {import('./pure/hash.js').LinkState} link
 * @param {ReturnType<typeof createSite>} site
 * @param {() => void} then
 */
function openLinked(app, link, site, then) {
  if (link.site) site.restore(link.site, link.kind, link.attributes);
  else if (link.selection) app.openCard(link.selection.layer, link.selection.uid);
  else if (link.panel === 'conflicts') app.openConflicts();
  else if (link.panel === 'site') app.openSite();
  then();
}

/** @param {App} app */
function writeLink({ store, defaultVisible }) {
  const state = store.get();
  const visible = [...state.visible];
  const usual = visible.length === defaultVisible.size && visible.every((id) => defaultVisible.has(id));
  const hash = encode({
    view: state.view, layers: usual ? null : visible, opacity: { ...state.opacity }, lang: state.lang,
    selection: state.selection, panel: state.panel === 'conflicts' || state.panel === 'site' ? state.panel : null,
    raster: state.raster, basemap: state.basemap, site: state.site?.wkt ?? null, kind: state.site?.kind ?? null,
    attributes: state.site?.attributes ?? {},
    ledger: encodeLedger(state.ledger),
  });
  history.replaceState(null, '', `#${hash}`);
}

// A link pasted over the present one changes the fragment only; our own changes of it do not arrive here.
window.addEventListener('hashchange', () => location.reload());

start().catch((error) => {
  const wordless = h('p', { role: 'alert' }, '连接不上服务。 The service cannot be reached.');
  byId('start').replaceChildren(hasWords('again') ? trouble(error, () => location.reload()) : wordless);
});
