/** Small modal questions, in the browser's own dialog element. */

import { t } from '../words.js';
import { freshId, h, icon, labelled } from './dom.js';

/**
 * Show a dialog until it is closed, and then take it away.
 * @template T
 * @param {HTMLDialogElement} dialog
 * @param {() => T} read what it came to
 * @returns {Promise<T>}
 */
export function closed(dialog, read) {
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(read());
    });
  });
}

/**
 * Ask with a form; resolves to what `read` takes from it, or null when the user turns away.
 * @template T
 * @param {string} title
 * @param {(Node | string | null | false)[]} content
 * @param {() => T} read
 * @returns {Promise<T | null>}
 */
export function ask(title, content, read) {
  const id = freshId('dialog');
  const dialog = h(
    'dialog', { class: 'dialog', 'aria-labelledby': id },
    h('form', { method: 'dialog' },
      h('h2', { id }, title), ...content,
      h('div', { class: 'buttons end' },
        h('button', { type: 'submit', value: '', class: 'button quiet', formnovalidate: true }, t('dialog.cancel')),
        h('button', { type: 'submit', value: 'yes', class: 'button' }, t('dialog.ok')))),
  );
  return closed(dialog, () => (dialog.returnValue === 'yes' ? read() : null));
}

/**
 * Choose one of few ways, each by one click.
 * @param {string} title
 * @param {readonly {icon: string, words: string, hint: string}[]} ways
 * @returns {Promise<number | null>} the place in `ways`; null when the user turns away
 */
export function askWay(title, ways) {
  const id = freshId('dialog');
  const dialog = h(
    'dialog', { class: 'dialog', 'aria-labelledby': id },
    h('form', { method: 'dialog' },
      h('h2', { id }, title),
      ways.map((way, at) => h('button', { type: 'submit', value: at, class: 'row' }, icon(way.icon),
        h('span', { class: 'row-main' }, h('span', { class: 'row-title' }, way.words), h('span', { class: 'row-sub' }, way.hint)))),
      h('div', { class: 'buttons end' }, h('button', { type: 'submit', value: '', class: 'button quiet' }, t('dialog.cancel')))),
  );
  return closed(dialog, () => (dialog.returnValue === '' ? null : Number(dialog.returnValue)));
}

/**
 * Choose one of several by number.
 * @param {string} title
 * @param {readonly string[]} options
 * @returns {Promise<number | null>}
 */
export async function askOne(title, options) {
  const select = h('select', { size: Math.min(8, options.length), 'aria-label': title, class: 'listbox' },
    options.map((option, at) => h('option', { value: at, selected: at === 0 }, option)));
  return ask(title, [select], () => Number(select.value));
}

/**
 * Which coordinate system a site is in.
 * @param {readonly string[]} guesses the likeliest first
 * @param {string} sample one position of the site, to recognise it by
 * @param {boolean} swappable whether latitude may stand first
 * @returns {Promise<{crs: string, swap: boolean} | null>}
 */
export function askCrs(guesses, sample, swappable) {
  const list = freshId('crs');
  const input = h('input', { type: 'text', value: guesses[0] ?? '', list, required: true, pattern: '(EPSG:)?[0-9]{4,6}' });
  const swap = h('input', { type: 'checkbox', checked: swappable });
  return ask(
    t('crs.title'),
    [
      h('p', {}, t(swappable ? 'crs.swapped' : 'crs.why')),
      h('p', { class: 'code' }, sample),
      swappable
        ? h('label', { class: 'check' }, swap, t('crs.swap'))
        : h('div', {}, labelled([t('crs.label')], input), h('datalist', { id: list }, guesses.map((guess) => h('option', { value: guess })))),
      !swappable && h('p', { class: 'muted' }, t('crs.help')),
    ],
    () => ({ crs: input.value.replace(/^(EPSG:)?/i, 'EPSG:'), swap: swap.checked && swappable }),
  );
}
