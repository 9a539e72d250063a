/** What was found in a file, by reason: how many rows, which, in words, and what to do. */

import { number } from '../pure/format.js';
import { rowList } from '../pure/import.js';
import { language, t } from '../words.js';
import { h, icon } from '../ui/dom.js';

/** @typedef {import('../types').ImportFinding} ImportFinding */

/** @type {Record<ImportFinding['severity'], string>} */
const ICONS = { file: 'conflict', error: 'conflict', repair: 'edit', warning: 'warning' };

/**
 * A list under a heading for each severity; nothing for no findings.
 * @param {readonly ImportFinding[]} findings
 */
export function findingLists(findings) {
  return /** @type {const} */ (['error', 'repair', 'warning']).map((severity) => {
    const these = findings.filter((each) => each.severity === severity || (severity === 'error' && each.severity === 'file'));
    if (!these.length) return null;
    const rows = these.reduce((sum, each) => sum + each.count, 0);
    return h(
      'details', { class: `fold import-findings severity-${severity}`, open: severity === 'error' },
      h('summary', {}, icon(ICONS[severity]), t(`import.found.${severity}`), h('b', { class: 'import-count' }, number(rows, language()))),
      h('ul', { class: 'import-reasons' }, these.map(reason)),
    );
  });
}

/** @param {ImportFinding} finding */
function reason(finding) {
  const zh = language() === 'zh';
  const { text, more } = rowList(finding.rows, finding.count);
  const rows = finding.of_file
    ? t('import.found.file')
    : t(more || finding.rows.length > 1 ? (more ? 'import.found.rows.more' : 'import.found.rows') : 'import.found.row', { rows: text, n: number(finding.count, language()) });
  return h(
    'li', { class: 'import-reason' },
    h('p', {}, zh ? finding.zh : finding.en),
    h('p', { class: 'muted' }, rows, ' · ', zh ? finding.remedy_zh : finding.remedy_en),
  );
}

/**
 * Why a step or a file was refused, and what to do.
 * @param {import('../types').Told} problem
 */
export function problemBox(problem) {
  const zh = language() === 'zh';
  const remedy = zh ? problem.remedy_zh : problem.remedy_en;
  return h(
    'div', { class: 'trouble', role: 'alert' },
    h('p', {}, h('strong', {}, zh ? problem.detail_zh : problem.detail_en)),
    remedy && h('p', {}, remedy),
  );
}
