/** The dialog in which a person says something of a conflict. */

import { markConflict } from '../api.js';
import { t } from '../words.js';
import { closed } from './dialog.js';
import { freshId, h, refill } from './dom.js';
import { errorWords } from './loading.js';

/** @typedef {import('../types').Item} Item */
/** @typedef {import('../types').NewMark['mark']} Kind */
/** @typedef {import('../types').Standing} Standing */

/** A control under its words. @param {string} words @param {HTMLElement} control */
function stacked(words, control) {
  control.id = freshId('field');
  return h('div', { class: 'stacked' }, h('label', { for: control.id }, words), control);
}

/** @type {readonly Kind[]} */
const KINDS = ['challenged', 'accepted', 'withdrawn'];

/**
 * Ask what is to be said, and say it; what was typed stays until the service has taken it.
 * @param {Item} item the conflict
 * @returns {Promise<Standing | null>} how it stands then; null when the user turns away
 */
export function askMark({ properties, standing }) {
  const id = freshId('dialog');
  const isMarked = standing !== undefined && standing.status !== 'open';
  const kinds = KINDS.filter((kind) => kind !== 'withdrawn' || isMarked);
  const kind = h('select', {}, kinds.map((each) => h('option', { value: each }, t(`mark.${each}`))));
  const why = h('textarea', { rows: 3, required: true, maxlength: 2000, autofocus: true });
  const until = h('input', { type: 'date', min: new Date().toISOString().slice(0, 10) });
  const day = stacked(t('mark.until'), until);
  const failed = h('p', { class: 'field-error', role: 'alert' });
  const send = h('button', { type: 'submit', class: 'button' });
  /** @type {Standing | null} */
  let told = null;
  /** @param {boolean} busy */
  const render = (busy) => {
    send.disabled = busy;
    refill(send, busy && h('span', { class: 'spinner small' }), t('mark.send'));
  };
  kind.addEventListener('change', () => { day.hidden = kind.value === 'withdrawn'; });
  const submit = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    if (send.disabled) return;
    render(true);
    failed.textContent = '';
    try {
      told = await markConflict({
        uid: String(properties['uid']), mark: /** @type {Kind} */ (kind.value), why: why.value,
        until: (!day.hidden && until.value) || null,
      });
      dialog.close();
    } catch (error) {
      render(false);
      failed.textContent = Object.values(errorWords(error)).filter(Boolean).join(' ');
      why.focus();
    }
  };
  const dialog = h(
    'dialog', { class: 'dialog', 'aria-labelledby': id },
    h('form', { onsubmit: submit },
      h('h2', { id }, t('mark.title')), h('p', { class: 'hint' }, t('mark.hint')),
      stacked(t('mark.kind'), kind), stacked(t('mark.why'), why), day, failed,
      h('div', { class: 'buttons end' },
        h('button', { type: 'button', class: 'button quiet', onclick: () => dialog.close() }, t('dialog.cancel')), send)),
  );
  render(false);
  return closed(dialog, () => told);
}
