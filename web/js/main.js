/** Puts the parts together. The only module that looks up elements of the page. */

import { fetchConfig, fetchConflictSummary, onSignInNeeded } from './api.js';
import { firstLanguage, initialState, openLinked } from './link.js';
import { sortDrop } from './import/drops.js';
import { createWizard } from './import/wizard.js';
import { createDrawing } from './map/draw.js';
import { createHighlights } from './map/highlight.js';
import { baseLayer, createMap, showBox, showDistrict } from './map/map.js';
import { createRasterLayer } from './map/raster.js';
import { createRowMarks } from './map/rows.js';
import { createVectorStack } from './map/tiles.js';
import { pick } from './pure/format.js';
import { decode } from './pure/hash.js';
import { ledgerQuery } from './pure/ledger.js';
import { boxOf } from './pure/site.js';
import { isNarrow } from './screen.js';
import { createStore } from './state.js';
import { createAccount } from './ui/account.js';
import { bindClicks } from './ui/clicks.js';
import { h } from './ui/dom.js';
import { createHeader } from './ui/header.js';
import { followHealth } from './ui/health.js';
import { errorWords, trouble } from './ui/loading.js';
import { createNotices } from './ui/notices.js';
import { createOpening } from './ui/opening.js';
import { createPanel } from './ui/panel.js';
import { verdictPatterns } from './ui/patterns.js';
import { createSearch } from './ui/search.js';
import { createSite } from './ui/site.js';
import { acceptDrops, createStage } from './ui/stage.js';
import { createTree } from './ui/tree.js';
import { hasWords, language, t, useLanguage } from './words.js';

/** @typedef {import('./types').App} App */
/** @typedef {import('./types').Config} Config */

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

async function start() {
  const link = decode(location.hash);
  const words = useLanguage(firstLanguage(link.lang));
  const account = createAccount(words);
  onSignInNeeded(account.gate);
  const asked = fetchConfig();
  // Both are under way at once, but a refusal can be told only in words.
  asked.catch(() => undefined);
  await words;
  build(await asked, link, account);
  byId('start').remove();
}

/** @param {Config} config @param {import('./pure/hash.js').LinkState} link @param {import('./ui/account.js').Account} account */
function build(config, link, account) {
  const map = createMap(byId('map'), config, link.view);
  const covers = ['header', 'layers', 'panel', 'nav'].map(byId);
  const panel = createPanel(byId('panel'), (kind) => {
    app.store.set({ panel: kind });
    document.body.classList.toggle('panel-open', kind !== null);
    if (kind && isNarrow()) showLayers(false);
  });
  document.body.append(verdictPatterns());
  /** @type {App} */
  const app = {
    ...shared(config, link, map, covers),
    ...createOpening(() => app, panel),
    openSite: () => { if (panel.kind() !== 'site') panel.open(site.view()); },
    openImport: () => wizard.open(),
    signIn: () => account.gate(null),
    renewLayer: (id) => renewLayers(app, stack, id),
    rowMarks: createRowMarks(map),
    screen: (geometry, kind, accuracy) => site.screen(geometry, kind, accuracy),
  };
  const stack = createStack(map, app);
  const drawing = createDrawing(map, {
    drawn: (geometry) => site.drawn(geometry),
    edited: (geometry) => site.edited(geometry),
    active: (active) => { if (active) site.live.forget(); stage.drawing(active); },
    corner: (geometry) => site.live.drawing(geometry),
  });
  const site = createSite(app, drawing, () => ({ lat: map.getCenter().lat, zoom: map.getZoom() }), (answer) => stage.live(answer));
  const wizard = createWizard(app, panel);
  const home = () => showDistrict(map, config, covers);
  const { showLayers } = createFrame(app, panel, home, account);
  const stage = createStage(byId('badges'), app, {
    zoomIn: () => map.zoomIn(), zoomOut: () => map.zoomOut(), home, cancelDrawing: drawing.cancel,
  });
  if (!link.view) home();
  acceptDrops((files) => void sortDrop(files, { screen: (file) => void site.file(file), load: (all) => void wizard.take(all) }));
  bindClicks(map, app, stack, drawing, stage.point);
  followState(map, app, stack, panel);
  countConflicts(app);
  followHealth(app);
  openLinked(app, link, site, wizard.restore);
  followAccount(app, stack, account);
}

/**
 * What somebody may see is asked for again when somebody else is signed in.
 * @param {App} app
 * @param {import('./map/tiles.js').VectorStack} stack
 * @param {import('./ui/account.js').Account} account
 */
function followAccount(app, stack, account) {
  account.follow((session) => {
    const before = app.store.get().session;
    app.store.set({ session });
    if (before && before.name !== session.name) void renewLayers(app, stack).then(() => countConflicts(app)).catch(app.fail);
  });
  account.find().catch(app.fail);
}

/**
 * What every part needs: definitions, state, marks, movement of the map, messages.
 * @param {Config} config
 * @param {import('./pure/hash.js').LinkState} link
 * @param {import('leaflet').Map} map
 * @param {readonly HTMLElement[]} covers elements that may hide a part of the map
 */
function shared(config, link, map, covers) {
  const { notify } = createNotices(byId('notices'));
  const drawn = config.layers.filter((layer) => layer.geometry !== 'none' && layer.visible);
  const defaultVisible = new Set(drawn.map((layer) => layer.id));
  return {
    config, defaultVisible, notify,
    store: createStore(initialState(config, link, defaultVisible)),
    layers: new Map(config.layers.map((layer) => [layer.id, layer])),
    conflictsLayer: config.conflicts_layer ?? '',
    highlights: createHighlights(map),
    showBox: (/** @type {import('./types').Box} */ box, /** @type {number | undefined} */ maxZoom) => showBox(map, box, covers, maxZoom),
    /** @param {import('geojson').Geometry | null | undefined} geometry @param {number} [maxZoom] */
    showGeometry: (geometry, maxZoom) => { if (geometry) showBox(map, boxOf(geometry), covers, maxZoom); },
    fail: (/** @type {unknown} */ error) => notify(Object.values(errorWords(error)).filter(Boolean).join(' '), 'trouble'),
  };
}

/** The vector layers, with their progress and trouble told. @param {import('leaflet').Map} map @param {App} app */
function createStack(map, { config, store, notify }) {
  return createVectorStack(map, config.layers, (layer) => store.get().opacity[layer.id] ?? 1, {
    onWork: (change) => store.set({ loading: store.get().loading + change }),
    onTrouble(layer, error) {
      notify(`${t('tiles.trouble', { layer: pick(layer.title, language()) })} ${errorWords(error).detail}`, 'trouble');
    },
  });
}

/**
 * Header, navigation and the tree of layers.
 * @param {App} app
 * @param {import('./ui/panel.js').Panel} panel
 * @param {() => void} home
 * @param {import('./ui/account.js').Account} account
 */
function createFrame(app, panel, home, account) {
  const { classList } = document.body;
  /** @param {boolean} open */
  const showLayers = (open) => {
    classList.toggle('layers-open', open);
    byId('layers').hidden = !open;
    header.render();
  };
  /** @param {string} kind @param {() => void} open */
  const toggle = (kind, open) => () => (panel.kind() === kind ? panel.close() : open());
  const header = createHeader(byId('header'), byId('nav'), app, {
    search: createSearch(app).element,
    toggleLayers() {
      const open = !classList.contains('layers-open');
      if (open && isNarrow()) panel.close();
      showLayers(open);
    },
    openConflicts: toggle('conflicts', app.openConflicts),
    openSite: toggle('site', app.openSite),
    openImport: toggle('import', app.openImport),
    home,
    account: account.button,
    switchLanguage: async (lang) => {
      await useLanguage(lang);
      app.store.set({ lang });
    },
  });
  createTree(byId('layers'), app, () => showLayers(false));
  showLayers(!isNarrow());
  return { showLayers };
}

/**
 * Take over what the service says of a layer by now, or of all, and draw the rows anew.
 * @param {App} app
 * @param {import('./map/tiles.js').VectorStack} stack
 * @param {string} [id]
 */
async function renewLayers({ layers, store }, stack, id) {
  const config = await fetchConfig();
  for (const fresh of config.layers) {
    const layer = layers.get(fresh.id);
    if (!layer || (id && fresh.id !== id)) continue;
    Object.assign(layer, fresh);
    stack.renew(fresh.id);
  }
  stack.show(store.get().visible);
  store.set({ revision: config.revision });
}

/** The number of real conflicts, for the button that opens their panel. @param {App} app */
function countConflicts(app) {
  if (!app.conflictsLayer) return;
  fetchConflictSummary().then(({ by_verdict: counts }) => app.store.set({ realConflicts: counts.conflict ?? 0 }), app.fail);
}

/**
 * The map and the panel follow the state.
 * @param {import('leaflet').Map} map
 * @param {App} app
 * @param {import('./map/tiles.js').VectorStack} stack
 * @param {import('./ui/panel.js').Panel} panel
 */
function followState(map, app, stack, panel) {
  const { store } = app;
  const name = () => map.getContainer().setAttribute('aria-label', t('stage.map'));
  const showConflicts = () => {
    stack.filter(app.conflictsLayer, ledgerQuery(store.get().ledger));
    stack.show(store.get().visible);
  };
  store.subscribe(['visible'], ({ visible }) => stack.show(visible));
  store.subscribe(['opacity'], stack.repaint);
  store.subscribe(['ledger'], showConflicts);
  store.subscribe(['lang'], () => {
    name();
    panel.refresh();
  });
  map.on('moveend', () => {
    const { lng, lat } = map.getCenter();
    store.set({ view: { lon: lng, lat, zoom: map.getZoom() } });
  });
  followGround(map, app);
  showConflicts();
  name();
}

/** The raster and the base map follow the state. @param {import('leaflet').Map} map @param {App} app */
function followGround(map, { config, store }) {
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
    const usual = config.rasters.find((each) => each.id === raster)?.opacity ?? 1;
    rasters.show(raster, (raster ? opacity[raster] : undefined) ?? usual);
  };
  store.subscribe(['raster', 'opacity'], showRaster);
  store.subscribe(['basemap'], showBase);
  showBase();
  showRaster();
}

// A link pasted over the present one changes the fragment only; our own changes of it do not arrive here.
window.addEventListener('hashchange', () => location.reload());

start().catch((error) => {
  const wordless = h('p', { role: 'alert' }, '连接不上服务。 The service cannot be reached.');
  byId('start').replaceChildren(hasWords('again') ? trouble(error, () => location.reload()) : wordless);
});
