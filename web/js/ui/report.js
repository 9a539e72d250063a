/** The report on a site: made when it is asked for, then a row of links to each of its forms. */

import { reportHref } from '../api.js';
import { date } from '../pure/format.js';
import { language, t } from '../words.js';
import { h, icon, refill } from './dom.js';

/** @typedef {import('../types').App} App */
/** @typedef {import('../types').ReportLink} ReportLink */

/**
 * What keeps the report of one answer: the link once it is stored, and how to store it.
 * @typedef {object} Keeping
 * @property {ReportLink | null} kept
 * @property {() => Promise<ReportLink>} keep
 */

/** Forms in the order of their use, with the icon of each. @type {[string, string][]} */
const FORMS = [['html', 'file'], ['pdf', 'print'], ['docx', 'edit'], ['xlsx', 'table'], ['gpkg', 'layers']];

/** @param {App} app @param {Keeping} keeping */
export function reportRow(app, keeping) {
  const row = h('section', { class: 'report no-print', 'aria-live': 'polite' });
  const render = () => refill(row, keeping.kept ? links(keeping.kept) : maker());

  const maker = () => {
    const button = h('button', { type: 'button', class: 'button' }, icon('file'), t('report.make'));
    button.addEventListener('click', async () => {
      button.disabled = true;
      refill(button, h('span', { class: 'spinner' }), t('report.making'));
      try {
        keeping.kept = await keeping.keep();
      } catch (error) {
        app.fail(error);
      }
      render();
      row.querySelector('a')?.focus();
    });
    return h('div', { class: 'buttons' }, button);
  };
  render();
  return row;
}

/** @param {ReportLink} report */
function links(report) {
  const lang = language();
  return [
    h('h4', {}, t('report.open')),
    h('div', { class: 'buttons' }, FORMS.map(([form, sign]) => h(
      'a', { class: 'button quiet', href: reportHref(report.id, form, lang), target: '_blank', rel: 'noopener' }, icon(sign), t(`report.${form}`),
    ))),
    h('p', { class: 'muted small' }, t('report.kept', { number: report.id.slice(0, 12), until: date(report.expires.slice(0, 10), lang) })),
  ];
}
