/** Where the rows lie: the ranked coordinate systems with their evidence; the chosen and the next best are on the map. */

import { number, percent, pick } from '../pure/format.js';
import { twoGuesses } from '../pure/import.js';
import { language, t } from '../words.js';
import { freshId, h, labelled } from '../ui/dom.js';
import { sign } from './signs.js';

/** @typedef {import('./wizard.js').Wizard} Wizard */
/** @typedef {import('../types').CrsCandidate} CrsCandidate */
/** @typedef {import('../types').CrsGroup} CrsGroup */

/** More candidates than this are shown only when asked for. */
const SHOWN = 4;

/** @param {Wizard} wizard */
export function placeChoice(wizard) {
  const proposal = wizard.found.proposal?.crs;
  if (!proposal) return null;
  const lang = language();
  return h(
    'section', { class: 'import-place' },
    h('h4', {}, t('import.place.title')),
    h('p', { class: `sentence hint${proposal.declared_fits === false ? ' warn' : ''}` }, pick(proposal.sentence, lang)),
    proposal.groups.length > 1 && h('p', { class: 'muted' }, t('import.place.groups', { n: proposal.groups.length })),
    proposal.groups.map((group) => groupChoice(wizard, group, proposal.groups.length > 1)),
  );
}

/** @param {Wizard} wizard @param {CrsGroup} group @param {boolean} numbered */
function groupChoice(wizard, group, numbered) {
  const name = freshId('crs');
  const chosen = wizard.choice.crs[group.number] ?? '';
  const guesses = twoGuesses(group, chosen);
  const listed = group.candidates.some(({ crs }) => crs === chosen);
  const first = group.candidates.slice(0, SHOWN);
  const rest = group.candidates.slice(SHOWN);
  const lang = language();
  /** @param {CrsCandidate} candidate */
  const option = (candidate) => candidateOption(wizard, group, candidate, name, guesses);
  return h(
    'fieldset', { class: 'import-crs' },
    h('legend', {}, numbered
      ? t('import.place.group', { i: group.number, n: number(group.rows, lang), from: group.first_row, to: group.last_row })
      : t('import.place.choose')),
    first.map(option),
    rest.length > 0 && h('details', { class: 'fold', open: rest.some(({ crs }) => crs === chosen) }, h('summary', {}, t('import.place.more', { n: rest.length })), rest.map(option)),
    otherCrs(wizard, group, listed ? '' : chosen),
  );
}

/** @param {Wizard} wizard @param {CrsGroup} group @param {CrsCandidate} candidate @param {string} name @param {string[]} guesses */
function candidateOption(wizard, group, candidate, name, guesses) {
  const { crs, title, score, evidence, needs_parameters: needed } = candidate;
  const lang = language();
  const at = guesses.indexOf(crs);
  const radio = h('input', { type: 'radio', name, value: crs, 'data-key': `crs-${group.number}-${crs}`, checked: at === 0, disabled: Boolean(needed) });
  radio.addEventListener('change', () => wizard.chooseCrs(group.number, crs));
  return h(
    'label', { class: `import-candidate${at >= 0 ? ` shown-${at}` : ''}` },
    radio,
    h('span', { class: 'import-candidate-main' },
      h('span', { class: 'import-candidate-head' },
        h('span', {}, h('strong', {}, pick(title, lang)), ' ', h('span', { class: 'code' }, crs)),
        h('span', { class: 'import-score', title: t('import.place.score') }, percent(score, lang))),
      at >= 0 && h('span', { class: 'import-shown' }, sign(at === 0 ? 'first' : 'second'), t(at === 0 ? 'import.place.first' : 'import.place.second')),
      evidence.length > 0 && h('span', { class: 'import-evidence' }, evidence.slice(0, at >= 0 ? 6 : 1).map((each) => h('span', {}, pick(each, lang)))),
      needed && h('span', { class: 'import-needs' }, t('import.place.parameters', { datum: pick(needed, lang) }))),
  );
}

/** A system that is not in the list, by name. @param {Wizard} wizard @param {CrsGroup} group @param {string} present */
function otherCrs(wizard, group, present) {
  const input = h('input', { type: 'text', value: present, placeholder: 'EPSG:4549', 'data-key': `other-${group.number}`, autocomplete: 'off', spellcheck: 'false' });
  input.addEventListener('change', () => {
    const typed = input.value.trim();
    if (typed) wizard.chooseCrs(group.number, /^\d{4,6}$/.test(typed) ? `EPSG:${typed}` : typed);
  });
  return labelled([t('import.place.other')], input);
}
