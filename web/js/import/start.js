/** Before the first step: choose files, watch them go up, or read why not. */

import { number } from '../pure/format.js';
import { sizeOf } from '../pure/import.js';
import { language, t } from '../words.js';
import { h, icon } from '../ui/dom.js';
import { trouble } from '../ui/loading.js';
import { problemBox } from './findings.js';

/** @typedef {import('./wizard.js').Wizard} Wizard */

/** @param {Wizard} wizard */
export function startStep(wizard) {
  const { terms, uploading, failure } = wizard;
  const { state, problem } = wizard.found;
  if (terms && !terms.allowed) return [forbidden(wizard)];
  if (uploading !== null) {
    return [h('div', { class: 'import-progress' },
      h('p', { class: 'waiting' }, h('span', { class: 'spinner' }), t('import.uploading')),
      h('progress', { max: 1, value: uploading, 'aria-label': t('import.uploading') }))];
  }
  if (state === 'reading' || state === 'receiving') {
    const names = wizard.found.files?.map(({ name }) => name).join(', ') ?? '';
    return [h('div', { class: 'import-progress' },
      h('p', { class: 'waiting' }, h('span', { class: 'spinner' }), t('import.reading')),
      h('progress', { 'aria-label': t('import.reading') }), h('p', { class: 'muted' }, names))];
  }
  return [
    failure !== null && trouble(failure),
    problem && (state === 'refused' || state === 'failed') && problemBox(problem),
    picker(wizard),
  ];
}

/** Why nothing can be imported: nobody is signed in, the role may not, or there are no accounts yet. @param {Wizard} wizard */
function forbidden({ app }) {
  const session = app.store.get().session;
  const words = session?.signed_in ? t('import.role') : session?.accounts ? t('import.sign_in') : t('import.forbidden');
  return h('div', { class: 'hint warn', role: 'alert' },
    h('p', {}, h('strong', {}, words)),
    !session?.accounts && h('p', {}, t('import.forbidden.remedy')),
    session?.accounts && !session.signed_in && h('button', { type: 'button', class: 'button', 'data-key': 'sign-in', onclick: () => void app.signIn() }, icon('person'), t('account.sign_in')));
}

/** @param {Wizard} wizard */
function picker(wizard) {
  const input = h('input', { type: 'file', multiple: true, class: 'visually-hidden', tabindex: '-1', 'aria-hidden': 'true' });
  input.addEventListener('change', () => {
    const files = [...(input.files ?? [])];
    if (files.length) void wizard.take(files);
    input.value = '';
  });
  const most = wizard.terms ? sizeOf(wizard.terms.max_bytes) : null;
  return h(
    'div', { class: 'import-start' },
    h('p', {}, t('import.intro')),
    h('button', { type: 'button', class: 'button', 'data-key': 'choose', onclick: () => input.click() }, icon('file'), t('import.choose')),
    input,
    h('p', { class: 'muted' }, t('import.formats')),
    most && h('p', { class: 'muted' }, t('import.largest', { size: `${number(most[0], language())} ${most[1]}` })),
  );
}
