/** Step 3: what the import would do, in numbers, on the map and row by row. Step 4: that it is done. */

import { rejectsLink, revisionLink } from '../api.js';
import { number, pick } from '../pure/format.js';
import { language, t } from '../words.js';
import { h, icon } from '../ui/dom.js';
import { findingLists, problemBox } from './findings.js';
import { sign } from './signs.js';

/** @typedef {import('./wizard.js').Wizard} Wizard */
/** @typedef {import('../types').ImportOutcome} ImportOutcome */

/** @param {Wizard} wizard */
export function checkStep(wizard) {
  const { found } = wizard;
  if (found.state === 'checking') return [progress(wizard, 'import.checking')];
  const { check } = found;
  if (!check) return [found.problem && problemBox(found.problem)];
  const nothing = check.added + check.changed + check.closed === 0;
  return [
    found.problem && problemBox(found.problem),
    balance(check),
    counts(check),
    nothing && h('p', { class: 'hint' }, t(check.good ? 'import.nothing' : 'import.nothing.good')),
    !nothing && h('p', { class: 'muted' }, t('import.on_map')),
    check.closes_many && closing(wizard, check),
    ...findingLists(check.findings),
    check.findings.length > 0 && downloads(found.id, ['csv']),
    h('div', { class: 'buttons end' },
      h('button', { type: 'button', class: 'button quiet', onclick: () => wizard.go(2) }, t('panel.back')),
      nothing
        ? h('button', { type: 'button', class: 'button', 'data-key': 'another', onclick: () => wizard.restart() }, icon('plus'), t('import.another'))
        : h('button', { type: 'button', class: 'button', 'data-key': 'commit', disabled: Boolean(check.closes_many) && !wizard.choice.closeMany, onclick: () => void wizard.commit() },
          t(check.bad ? 'import.commit.rest' : 'import.commit', { n: number(check.good, language()) }))),
  ];
}

/** @param {Wizard} wizard */
export function doneStep(wizard) {
  const { found } = wizard;
  const { result } = found;
  if (!result) return [progress(wizard, 'import.committing')];
  const lang = language();
  const layer = wizard.app.layers.get(result.layer);
  const { rev } = result;
  return [
    h('div', { class: 'headline verdict-clear import-done' }, icon('clear'),
      h('div', {}, h('strong', {}, t(rev === null ? 'import.done.same' : 'import.done', { rev: rev ?? '' })), h('span', {}, layer ? pick(layer.title, lang) : result.layer))),
    balance(result),
    counts(result),
    result.transformation && h('p', { class: 'muted' }, t('import.done.operation', { name: result.transformation })),
    h('div', { class: 'buttons' },
      layer && layer.geometry !== 'none' && h('button', { type: 'button', class: 'button', 'data-key': 'look', onclick: () => wizard.look() }, icon('zoom'), t('import.done.look')),
      layer && layer.geometry === 'none' && h('button', { type: 'button', class: 'button', onclick: () => wizard.app.openTable(layer.id) }, icon('table'), t('tree.table')),
      rev !== null && h('a', { class: 'button quiet', href: revisionLink(result.layer, rev) }, t('import.done.revision', { rev })),
      h('button', { type: 'button', class: 'button quiet', 'data-key': 'another', onclick: () => wizard.restart() }, icon('plus'), t('import.another'))),
    rev !== null && h('p', { class: 'hint' }, t('import.done.undo'), ' ', h('code', { class: 'code' }, `onemap revisions revert ${rev}`)),
    ...findingLists(result.findings),
    result.findings.length > 0 && downloads(found.id, ['original', 'xlsx', 'csv', 'geojson']),
  ];
}

/** Many rows would go: that has to be confirmed. @param {Wizard} wizard @param {ImportOutcome} check */
function closing(wizard, check) {
  const box = h('input', { type: 'checkbox', checked: wizard.choice.closeMany, 'data-key': 'closing' });
  box.addEventListener('change', () => wizard.confirmClosing(box.checked));
  return h('label', { class: 'check hint warn' }, box, t('import.close_many', { n: number(check.closed, language()) }));
}

/** All rows of the file are accounted for. @param {ImportOutcome} outcome */
function balance(outcome) {
  const lang = language();
  return h('p', { class: 'import-balance' }, t('import.balance', {
    total: number(outcome.total, lang), good: number(outcome.good, lang), bad: number(outcome.bad, lang), repaired: number(outcome.repaired, lang),
  }));
}

/** @param {ImportOutcome} outcome */
function counts(outcome) {
  const lang = language();
  return h('ul', { class: 'tiles import-tiles' }, /** @type {const} */ (['added', 'changed', 'closed', 'unchanged']).map((kind) => h(
    'li', { class: `tile row-${kind}` },
    h('b', {}, kind !== 'unchanged' && sign(kind), number(outcome[kind], lang)), h('span', {}, t(`import.count.${kind}`)),
  )));
}

/** @param {string} id @param {readonly string[]} formats */
function downloads(id, formats) {
  return h('div', { class: 'import-downloads' },
    h('p', {}, t('import.rejects')),
    h('div', { class: 'buttons' }, formats.map((format) => h('a', { class: 'button quiet', href: rejectsLink(id, format), download: '' }, icon('download'), t(`import.rejects.${format}`)))));
}

/** @param {Wizard} wizard @param {string} title */
function progress(wizard, title) {
  const { progress: at } = wizard.found;
  const share = at && at.total ? at.done / at.total : null;
  const lang = language();
  const words = at ? [t(`import.phase.${at.phase}`), at.total ? `${number(at.done, lang)} / ${number(at.total, lang)}` : ''].filter(Boolean).join(' · ') : '';
  return h('div', { class: 'import-progress' },
    h('p', { class: 'waiting' }, h('span', { class: 'spinner' }), t(title)),
    share === null ? h('progress', { 'aria-label': t(title) }) : h('progress', { max: 1, value: share, 'aria-label': t(title) }),
    h('p', { class: 'muted' }, words));
}
