/** Small marks of one meaning each: verdict, severity, demonstration, indicative. */

import { t } from '../words.js';
import { h, icon } from './dom.js';

/** @typedef {import('../types').Severity} Severity */
/** @typedef {import('../types').Verdict} Verdict */

/** @param {Verdict} verdict */
export function verdictBadge(verdict) {
  return h('span', { class: `badge verdict-${verdict}` }, icon(verdict), t(`verdict.${verdict}`));
}

/** @param {Severity | null | undefined} severity */
export function severityBadge(severity) {
  return severity ? h('span', { class: `badge severity-${severity}` }, t(`severity.${severity}`)) : null;
}

/** @param {boolean | undefined} yes @param {boolean} [brief] */
export function demonstrationBadge(yes, brief = false) {
  if (!yes) return null;
  return h('span', { class: 'badge demonstration', title: t('badge.demonstration.why') }, t(brief ? 'badge.demonstration.brief' : 'badge.demonstration'));
}

/** @param {boolean | undefined} yes @param {boolean} [brief] */
export function indicativeBadge(yes, brief = false) {
  if (!yes) return null;
  return h('span', { class: 'badge indicative', title: t('badge.indicative.why') }, t(brief ? 'badge.indicative.brief' : 'badge.indicative'));
}
