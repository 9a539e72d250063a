/** The panel at the side (a sheet from below on a phone): one view at a time, with a way back. */

import { t } from '../words.js';
import { h, iconButton, refill } from './dom.js';

/**
 * @typedef {object} View
 * @property {string} kind names the view in the link and in style sheets
 * @property {() => string} title
 * @property {(body: HTMLElement) => void} render fills the body; called again after a change of language
 * @property {() => void} [shown] called each time the view comes to the front
 * @property {() => void} [left] called each time it goes from the front
 * @property {boolean} [wide]
 */

/**
 * @param {HTMLElement} element
 * @param {(kind: string | null) => void} onChange tells which view is in front
 */
export function createPanel(element, onChange) {
  /** @type {{view: View, body: HTMLElement, stale: boolean}[]} */
  let stack = [];
  /** @type {(typeof stack)[number] | null} */
  let front = null;

  const show = () => {
    const next = stack.at(-1) ?? null;
    if (front !== next) front?.view.left?.();
    const arrived = front !== next;
    front = next;
    element.hidden = !front;
    if (!front) {
      refill(element);
      onChange(null);
      return;
    }
    if (front.stale) {
      refill(front.body);
      front.view.render(front.body);
      front.stale = false;
    }
    element.dataset['view'] = front.view.kind;
    element.classList.toggle('wide', Boolean(front.view.wide));
    const heading = h('h2', { class: 'panel-title', tabindex: '-1' }, front.view.title());
    refill(element, head(heading), front.body);
    onChange(front.view.kind);
    if (arrived) {
      front.view.shown?.();
      heading.focus({ preventScroll: true });
    }
  };

  /** @param {HTMLElement} heading */
  const head = (heading) =>
    h(
      'div', { class: 'panel-head' },
      stack.length > 1 && iconButton('back', t('panel.back'), api.back),
      heading,
      iconButton('up', t('panel.taller'), toggleTall, { class: 'icon-button only-narrow', 'aria-pressed': String(element.classList.contains('tall')) }),
      iconButton('close', t('panel.close'), api.close),
    );

  const toggleTall = () => {
    const tall = element.classList.toggle('tall');
    element.querySelector('.only-narrow')?.setAttribute('aria-pressed', String(tall));
  };

  const api = {
    /**
     * Bring a view to the front.
     * @param {View} view
     * @param {{over?: boolean}} [how] over: keep the present view to go back to
     */
    open(view, { over = false } = {}) {
      const body = h('div', { class: `panel-body view-${view.kind}` });
      const kept = over ? stack.filter((entry) => entry.view.kind !== view.kind) : [];
      stack = [...kept, { view, body, stale: true }];
      show();
    },

    back() {
      stack = stack.slice(0, -1);
      show();
    },

    close() {
      stack = [];
      element.classList.remove('tall');
      show();
    },

    /** Render everything anew, as after a change of language. */
    refresh() {
      for (const entry of stack) entry.stale = true;
      show();
    },

    kind: () => front?.view.kind ?? null,
  };
  // Paper has nothing to click: what is folded is unfolded for it, and folded again.
  /** @type {Element[]} */
  let unfolded = [];
  window.addEventListener('beforeprint', () => {
    unfolded = [...element.querySelectorAll('details:not([open])')];
    for (const each of unfolded) each.toggleAttribute('open', true);
  });
  window.addEventListener('afterprint', () => {
    for (const each of unfolded) each.toggleAttribute('open', false);
  });
  element.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && !event.defaultPrevented) api.close();
  });
  return api;
}

/** @typedef {ReturnType<typeof createPanel>} Panel */
