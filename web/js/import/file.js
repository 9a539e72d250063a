/** Step 1: what kind of file it is, and in which coordinate system. */

import { number } from '../pure/format.js';
import { sizeOf } from '../pure/import.js';
import { hasWords, language, t } from '../words.js';
import { h } from '../ui/dom.js';
import { findingLists } from './findings.js';
import { placeChoice } from './place.js';

/** @typedef {import('./wizard.js').Wizard} Wizard */

/** @param {Wizard} wizard */
export function fileStep(wizard) {
  const { found, choice } = wizard;
  const placed = Boolean(found.proposal?.crs);
  return [
    facts(found),
    ...findingLists(found.issues ?? []),
    placed ? placeChoice(wizard) : h('p', { class: 'hint' }, t('import.place.none')),
    h('div', { class: 'buttons end' },
      h('button', { type: 'button', class: 'button', 'data-key': 'next', onclick: () => wizard.go(2), disabled: Object.values(choice.crs).some((crs) => !crs) },
        t(placed ? 'import.place.confirm' : 'import.next'))),
  ];
}

/** @param {import('../types').Import} found */
function facts(found) {
  const { header, files, geometry = {} } = found;
  if (!header) return null;
  const lang = language();
  const kinds = Object.entries(geometry).map(([kind, count]) => t('import.kind', { kind: t(`import.kind.${kind.toLowerCase()}`), n: number(count, lang) }));
  const claimed = header.rows_claimed !== null && header.rows_claimed !== header.rows;
  /** @type {[string, (Node | string | null | false)[] | string | null][]} */
  const rows = [
    ['import.fact.file', files?.map(({ name, bytes }) => `${name}（${size(bytes)}）`.replace(/（(.*)）/, lang === 'zh' ? '（$1）' : ' ($1)')).join(lang === 'zh' ? '、' : ', ') ?? null],
    ['import.fact.format', formatName(header.format)],
    ['import.fact.member', header.members.length > 1 ? header.member : null],
    ['import.fact.encoding', header.encoding],
    ['import.fact.rows', [number(header.rows, lang), claimed && h('strong', {}, ` · ${t('import.fact.claimed', { n: number(header.rows_claimed, lang) })}`)]],
    ['import.fact.geometry', kinds.join(lang === 'zh' ? '、' : ', ')],
    ['import.fact.declared', header.declared_crs ?? t('import.fact.declared.none')],
  ];
  const brief = [formatName(header.format), header.encoding, t('import.rows', { n: number(header.rows, lang) }), kinds.join(lang === 'zh' ? '、' : ', ')];
  return h(
    'details', { class: 'fold import-facts', open: claimed },
    h('summary', {}, brief.filter(Boolean).join(' · ')),
    h('dl', { class: 'facts small' }, rows.flatMap(([key, value]) => (value ? [h('dt', {}, t(key)), h('dd', {}, value)] : []))),
  );
}

/** @param {number} bytes */
function size(bytes) {
  const [value, unit] = sizeOf(bytes);
  return `${number(value, language())} ${unit}`;
}

/** @param {string} format */
function formatName(format) {
  const key = `import.format.${format.replaceAll('-', '_')}`;
  return hasWords(key) ? t(`import.format.${format.replaceAll('-', '_')}`) : format;
}
