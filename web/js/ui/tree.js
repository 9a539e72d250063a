/** The tree of layers by theme, with legend, opacity, counts and what to know about each layer. */

import { number, pick } from '../pure/format.js';
import { switched } from '../state.js';
import { language, t } from '../words.js';
import { demonstrationBadge, indicativeBadge } from './badges.js';
import { freshId, h, icon, iconButton, refill } from './dom.js';
import { healthMark, renewHealthMark } from './health.js';
import { layerSwatch, legendList } from './legend.js';

/** @typedef {import('../types').App} App */
/** @typedef {import('../types').Layer} Layer */

/**
 * @param {HTMLElement} element
 * @param {App} app
 * @param {() => void} onClose
 */
export function createTree(element, app, onClose) {
  const { config, store } = app;
  /** @type {Set<string>} */
  const open = new Set();
  /** @type {Set<string>} */
  const folded = new Set();
  const body = h('div', { class: 'panel-body tree' });

  const render = () => {
    element.setAttribute('aria-label', t('tree.title'));
    const top = body.scrollTop;
    refill(body, config.themes.map(themeSection), rasterSection(app), basemapSection(app));
    refill(
      element,
      h('div', { class: 'panel-head' },
        h('h2', { class: 'panel-title' }, t('tree.title')),
        h('button', { type: 'button', class: 'text-button', onclick: () => store.set({ visible: app.defaultVisible }) }, t('tree.reset')),
        iconButton('close', t('tree.close'), onClose)),
      body,
    );
    body.scrollTop = top;
    updateHints();
  };

  /** @param {App['config']['themes'][number]} theme */
  const themeSection = (theme) => {
    const layers = theme.layers.flatMap((id) => app.layers.get(id) ?? []);
    if (!layers.length) return null;
    const id = freshId('theme');
    const drawn = layers.filter((layer) => layer.geometry !== 'none');
    const shown = drawn.filter((layer) => store.get().visible.has(layer.id)).length;
    const isOpen = !folded.has(theme.id);
    const list = h('ul', { id, class: 'layer-list', hidden: !isOpen }, layers.map(layerRow));
    const head = h(
      'button', { type: 'button', class: 'theme-head', 'aria-expanded': String(isOpen), 'aria-controls': id },
      icon('down'), h('span', { class: 'grow' }, pick(theme.title, language())),
      h('span', { class: 'theme-count' }, drawn.length ? `${shown}/${drawn.length}` : ''),
    );
    head.addEventListener('click', () => {
      list.hidden = !list.hidden;
      head.setAttribute('aria-expanded', String(!list.hidden));
      folded[list.hidden ? 'add' : 'delete'](theme.id);
    });
    return h('section', { class: 'theme' }, h('h3', {}, head), list);
  };

  /** @param {Layer} layer */
  const layerRow = (layer) => {
    const detail = h('div', { id: freshId('detail'), class: 'layer-detail', hidden: !open.has(layer.id) });
    const more = iconButton('down', t('tree.more', { layer: pick(layer.title, language()) }), () => {
      detail.hidden = !detail.hidden;
      more.setAttribute('aria-expanded', String(!detail.hidden));
      open[detail.hidden ? 'delete' : 'add'](layer.id);
      if (!detail.hidden && !detail.childElementCount) fillDetail(detail, layer);
    }, { class: 'icon-button more', 'aria-expanded': String(!detail.hidden), 'aria-controls': detail.id });
    if (!detail.hidden) fillDetail(detail, layer);
    return h(
      'li', { class: 'layer', 'data-layer': layer.id },
      h('div', { class: 'layer-row' }, layer.geometry === 'none' ? registerButton(layer) : layerCheck(layer), healthMark(app, layer), more),
      h('p', { class: 'zoom-hint', hidden: true }),
      detail,
    );
  };

  /** @param {Layer} layer */
  const layerCheck = (layer) => {
    const box = h('input', { type: 'checkbox', checked: store.get().visible.has(layer.id) });
    box.addEventListener('change', () => {
      store.set({ visible: switched(store.get().visible, layer.id, box.checked) });
    });
    return h('label', { class: 'layer-label' }, box, layerSwatch(layer), titleOf(layer), countOf(layer));
  };

  /** @param {Layer} layer */
  const registerButton = (layer) =>
    h('button', { type: 'button', class: 'layer-label register', onclick: () => app.openTable(layer.id) },
      icon('table'), titleOf(layer), countOf(layer));

  /** @param {HTMLElement} detail @param {Layer} layer */
  const fillDetail = (detail, layer) => {
    refill(
      detail,
      layer.abstract && h('p', { class: 'abstract' }, pick(layer.abstract, language())),
      layer.is_demonstration && h('p', { class: 'hint' }, demonstrationBadge(true), ' ', t('badge.demonstration.why')),
      layer.is_indicative && h('p', { class: 'hint' }, indicativeBadge(true), ' ', t('badge.indicative.why')),
      layer.geometry !== 'none' && legendList(layer),
      layer.geometry !== 'none' && opacitySlider(app, layer.id),
      h('div', { class: 'buttons' },
        layer.extent && layer.geometry !== 'none' && textButton('zoom', t('tree.extent'), () => app.showBox(/** @type {any} */ (layer.extent))),
        textButton('table', t('tree.table'), () => app.openTable(layer.id))),
    );
  };

  const updateHints = () => {
    const { view, visible } = store.get();
    for (const row of /** @type {NodeListOf<HTMLElement>} */ (element.querySelectorAll('.layer'))) {
      const layer = app.layers.get(row.dataset['layer'] ?? '');
      const hint = /** @type {HTMLElement} */ (row.querySelector('.zoom-hint'));
      if (!layer) continue;
      const near = view.zoom < layer.zoom.min;
      const out = near || view.zoom > layer.zoom.max;
      hint.hidden = !out || !visible.has(layer.id);
      hint.textContent = t(near ? 'tree.zoom.in' : 'tree.zoom.out');
    }
  };

  const updateHealth = () => {
    const { health } = store.get();
    for (const row of /** @type {NodeListOf<HTMLElement>} */ (element.querySelectorAll('.layer'))) {
      const layer = app.layers.get(row.dataset['layer'] ?? '');
      const mark = row.querySelector('.health-mark');
      if (layer && mark instanceof HTMLElement) renewHealthMark(mark, layer, health?.get(layer.id));
    }
  };

  const updateChecks = () => {
    const { visible } = store.get();
    for (const row of /** @type {NodeListOf<HTMLElement>} */ (element.querySelectorAll('.layer'))) {
      const box = row.querySelector('input[type=checkbox]');
      if (box instanceof HTMLInputElement) box.checked = visible.has(row.dataset['layer'] ?? '');
    }
    for (const section of element.querySelectorAll('.theme')) {
      const boxes = [...section.querySelectorAll('.layer-row input[type=checkbox]')];
      const count = section.querySelector('.theme-count');
      const on = boxes.filter((box) => box instanceof HTMLInputElement && box.checked).length;
      if (count && boxes.length) count.textContent = `${on}/${boxes.length}`;
    }
    updateHints();
  };

  store.subscribe(['visible'], updateChecks);
  store.subscribe(['health'], updateHealth);
  store.subscribe(['view'], updateHints);
  store.subscribe(['lang', 'raster', 'basemap', 'revision'], render);
  render();
}

/** @param {Layer} layer */
function titleOf(layer) {
  return h(
    'span', { class: 'layer-title' },
    h('span', {}, pick(layer.title, language())),
    demonstrationBadge(layer.is_demonstration, true),
    indicativeBadge(layer.is_indicative, true),
  );
}

/** @param {Layer} layer */
function countOf(layer) {
  const text = number(layer.count, language());
  return h('span', { class: 'layer-count', title: t('tree.count', { n: text }) }, text);
}

/** @param {App} app @param {string} id of a layer or raster @param {number} [usual] */
function opacitySlider(app, id, usual = 1) {
  const { store } = app;
  const slider = h('input', {
    type: 'range', min: 10, max: 100, step: 5, value: Math.round((store.get().opacity[id] ?? usual) * 100),
    'aria-label': t('tree.opacity'),
  });
  slider.addEventListener('input', () => {
    store.set({ opacity: { ...store.get().opacity, [id]: Number(slider.value) / 100 } });
  });
  return h('label', { class: 'slider' }, h('span', {}, t('tree.opacity')), slider);
}

/** @param {App} app */
function rasterSection(app) {
  const { config, store } = app;
  if (!config.rasters.length) return null;
  const chosen = store.get().raster;
  return h(
    'section', { class: 'theme' },
    h('h3', { class: 'theme-head plain' }, t('tree.rasters')),
    h('ul', { class: 'layer-list' }, config.rasters.map((raster) => {
      const box = h('input', { type: 'checkbox', checked: raster.id === chosen });
      box.addEventListener('change', () => store.set({ raster: box.checked ? raster.id : null }));
      return h(
        'li', { class: 'layer' },
        h('label', { class: 'layer-label' }, box, h('span', { class: 'ramp-chip' }), h('span', { class: 'layer-title' }, pick(raster.title, language()))),
        raster.id === chosen && h('div', { class: 'layer-detail' },
          raster.abstract && h('p', { class: 'abstract' }, pick(raster.abstract, language())), ramp(raster),
          h('p', { class: 'muted' }, t('tree.raster.ask')), opacitySlider(app, raster.id, raster.opacity ?? 1)),
      );
    })),
  );
}

/** The colours of a raster with their values. @param {import('../types').Raster} raster */
function ramp(raster) {
  const rows = raster.legend;
  return h(
    'ul', { class: 'legend ramp', 'aria-label': raster.unit ? t('tree.unit', { unit: raster.unit }) : null },
    rows.map((row) => h('li', {}, patch(row.colour), h('span', {}, `${pick(row.label, language()) || row.value}`))),
  );
}

/** @param {string} colour */
function patch(colour) {
  const box = h('span', { class: 'patch' });
  box.style.backgroundColor = colour;
  return box;
}

/** @param {App} app */
function basemapSection(app) {
  const { config, store } = app;
  if (!config.basemaps.length) return null;
  const name = freshId('base');
  /** @param {string | null} id @param {string} title */
  const choice = (id, title) => {
    const radio = h('input', { type: 'radio', name, checked: store.get().basemap === id });
    radio.addEventListener('change', () => store.set({ basemap: id }));
    return h('li', { class: 'layer' }, h('label', { class: 'layer-label' }, radio, h('span', { class: 'layer-title' }, title)));
  };
  return h(
    'section', { class: 'theme' },
    h('h3', { class: 'theme-head plain' }, t('tree.basemap')),
    h('ul', { class: 'layer-list' }, choice(null, t('tree.basemap.none')), config.basemaps.map((each) => choice(each.id, pick(each.title, language())))),
  );
}

/** @param {string} name @param {string} words @param {() => void} onclick */
export function textButton(name, words, onclick) {
  return h('button', { type: 'button', class: 'button quiet', onclick }, icon(name), words);
}
