/** What stands on the map besides the map: zoom buttons, position, progress, the demonstration note, the drop target. */

import { pick, position } from '../pure/format.js';
import { language, t } from '../words.js';
import { severityBadge, verdictBadge } from './badges.js';
import { h, icon, iconButton, refill } from './dom.js';

/** @typedef {import('../types').App} App */

/**
 * @param {HTMLElement} element
 * @param {App} app
 * @param {{zoomIn: () => void, zoomOut: () => void, home: () => void, cancelDrawing: () => void}} on
 */
export function createStage(element, app, on) {
  const { store, config } = app;
  const demo = h('p', { class: 'demo-note' });
  const place = h('output', { class: 'pointer-position' });
  const progress = h('div', { class: 'progress', role: 'progressbar', hidden: true });
  const drawing = h('div', { class: 'drawing-note', role: 'status', hidden: true });
  const live = h('span', { class: 'live-verdict' });
  /** @type {import('../types').LiveAnswer | null} */
  let told = null;
  const credit = h('p', { class: 'credit' });
  const controls = h('div', { class: 'map-controls', role: 'group' });
  element.append(progress, demo, drawing, place, credit, controls);

  const noteDemonstration = () => {
    const { visible } = store.get();
    const shown = config.layers.some((layer) => layer.is_demonstration && visible.has(layer.id));
    demo.hidden = !shown;
    demo.textContent = shown ? t('stage.demonstration') : '';
  };

  const showLive = () => refill(live, told && [h('span', {}, t('stage.live')), verdictBadge(told.verdict), severityBadge(told.severity)]);

  const words = () => {
    showLive();
    noteDemonstration();
    progress.setAttribute('aria-label', t('stage.loading'));
    controls.setAttribute('aria-label', t('stage.controls'));
    refill(controls, iconButton('plus', t('stage.in'), on.zoomIn), iconButton('minus', t('stage.out'), on.zoomOut), iconButton('home', t('stage.home'), on.home));
    const base = config.basemaps.find((each) => each.id === store.get().basemap);
    credit.textContent = [pick(config.district.attribution, language()), pick(base?.attribution, language())].filter(Boolean).join(' · ');
    refill(drawing, icon('edit'), h('span', {}, t('stage.drawing')), h('button', { type: 'button', class: 'button quiet', onclick: on.cancelDrawing }, t('dialog.cancel')), live);
  };
  store.subscribe(['lang', 'basemap'], words);
  store.subscribe(['visible'], noteDemonstration);
  store.subscribe(['loading'], ({ loading }) => { progress.hidden = loading === 0; });
  words();

  return {
    /** @param {{lng: number, lat: number} | null} at */
    point(at) { place.textContent = at ? position(at.lng, at.lat) : ''; },
    /** @param {boolean} active */
    drawing(active) {
      drawing.hidden = !active;
      document.body.classList.toggle('drawing', active);
    },
    /** @param {import('../types').LiveAnswer | null} answer what the site drawn so far would get */
    live(answer) {
      told = answer;
      showLive();
    },
  };
}

/**
 * Lets files be dropped anywhere on the page.
 * @param {(files: readonly File[]) => void} take
 */
export function acceptDrops(take) {
  const target = h('div', { class: 'drop-target', hidden: true });
  document.body.append(target);
  let depth = 0;
  /** @param {number} change */
  const hover = (change) => {
    depth = Math.max(0, depth + change);
    target.hidden = depth === 0;
    if (depth) refill(target, icon('file'), t('stage.drop'));
  };
  /** @param {DragEvent} event */
  const hasFile = (event) => event.dataTransfer?.types.includes('Files') ?? false;
  window.addEventListener('dragenter', (event) => { if (hasFile(event)) hover(1); });
  window.addEventListener('dragleave', (event) => { if (hasFile(event)) hover(-1); });
  window.addEventListener('dragover', (event) => { if (hasFile(event)) event.preventDefault(); });
  window.addEventListener('drop', (event) => {
    if (!hasFile(event)) return;
    event.preventDefault();
    hover(-depth);
    const files = [...(event.dataTransfer?.files ?? [])];
    if (files.length) take(files);
  });
}
