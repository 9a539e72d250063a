/** The answer to "may this stand here?": four colours, worst first, each with its reason in law. */

import { area, date, listed, metres, number, percent, pick } from '../pure/format.js';
import { missingAttributes, strip, themesWorstFirst, VERDICTS } from '../pure/verdict.js';
import { language, t } from '../words.js';
import { demonstrationBadge, severityBadge, verdictBadge } from './badges.js';
import { h, icon } from './dom.js';
import { findingArticle } from './finding.js';
import { reportRow } from './report.js';
import { textButton } from './tree.js';

/** @typedef {import('../types').Answer} Answer */
/** @typedef {import('../types').App} App */
/** @typedef {import('../types').Parts} Parts */
/** @typedef {import('../types').ThemeAnswer} ThemeAnswer */
/** @typedef {import('../types').Verdict} Verdict */

/** Marks that belong to a verdict. */
const MARKS = [...VERDICTS.map((verdict) => `part-${verdict}`), 'finding'];

/** Parts of the site on the map, each in its colour and pattern. @param {App} app @param {Parts | null | undefined} parts */
function drawParts(app, parts) {
  for (const verdict of VERDICTS) app.highlights.show(`part-${verdict}`, [parts?.[verdict]?.geometry], verdict);
}

/** @param {App} app */
export function clearVerdictMarks(app) {
  app.highlights.clearAll(MARKS);
}

/**
 * The verdict in words; its parts are drawn on the map.
 * @param {App} app
 * @param {Answer} answer
 * @param {import('./report.js').Keeping} keeping
 */
export function showVerdict(app, answer, keeping) {
  clearVerdictMarks(app);
  drawParts(app, answer.parts);
  const themes = themesWorstFirst(answer);
  const open = themes.filter((theme) => theme.verdict === themes[0]?.verdict && theme.verdict !== 'clear');
  return h(
    'div', { class: 'verdict' },
    headline(answer),
    answer.demonstration && h('p', { class: 'hint demo' }, t('verdict.demonstration')),
    strips(answer.parts, answer.verdict),
    siteFacts(answer),
    buttons(app, answer),
    reportRow(app, keeping),
    unknowns(answer),
    themes.filter((theme) => theme.findings.length).map((theme) => themeBlock(app, answer, theme, open.includes(theme))),
    clearList(answer),
    basis(answer),
    h('p', { class: 'muted small' }, t('verdict.aid')),
  );
}

/** @param {Answer} answer */
function headline(answer) {
  return h(
    'div', { class: `headline verdict-${answer.verdict}`, role: 'heading', 'aria-level': '3' },
    icon(answer.verdict),
    h('div', {},
      h('strong', {}, t(`verdict.${answer.verdict}`)),
      h('span', {}, [answer.severity ? t(`severity.${answer.severity}`) : '', t(`verdict.${answer.verdict}.means`)].filter(Boolean).join(' · '))),
  );
}

/** @param {Parts | null | undefined} parts @param {Verdict} verdict */
function strips(parts, verdict) {
  const segments = strip(parts, verdict);
  const words = segments.map((each) => `${t(`verdict.${each.verdict}`)} ${percent(each.share, language())}`).join(', ');
  return h(
    'div', { class: 'parts' },
    bar(segments, words),
    parts && h('ul', { class: 'part-list' }, segments.map((each) => h(
      'li', { class: `part verdict-${each.verdict}` }, icon(each.verdict), h('span', {}, t(`verdict.${each.verdict}`)),
      h('b', {}, percent(each.share, language())), h('span', { class: 'muted' }, amountWords(each.amount)),
    ))),
  );
}

/** @param {ReturnType<typeof strip>} segments @param {string} words */
function bar(segments, words) {
  return h('div', { class: 'strip', role: 'img', 'aria-label': words }, segments.map((each) => {
    const piece = h('span', { class: `strip-piece verdict-${each.verdict}` }, each.width > 9 && icon(each.verdict));
    piece.style.flexBasis = `${each.width}%`;
    return piece;
  }));
}

/** @param {import('../types').Part | null} part */
function amountWords(part) {
  if (part?.area_m2) return area(part.area_m2, language());
  return part?.length_m ? metres(part.length_m, language()) : '';
}

/** @param {Answer} answer */
function siteFacts(answer) {
  const lang = language();
  const { site } = answer;
  const local = site.area_local;
  const localWords = local ? `${number(local.value, lang, 2)} ${pick(local.unit, lang)}` : '';
  const sizes = [site.area_m2 ? area(site.area_m2, lang) : '', site.area_m2 ? localWords : '', site.length_m && !site.area_m2 ? metres(site.length_m, lang) : ''].filter(Boolean);
  const accuracy = site.accuracy_m === null ? t('source.accuracy.unknown') : `± ${metres(site.accuracy_m, lang)}`;
  return h(
    'p', { class: 'muted' },
    [...sizes, `${t('source.accuracy')} ${accuracy}`, `${t('fact.lawdate')} ${date(answer.law_date, lang)}`, t('verdict.revision', { rev: answer.as_of.revision })].join(' · '),
  );
}

/** @param {App} app @param {Answer} answer */
function buttons(app, answer) {
  return h(
    'div', { class: 'buttons no-print' },
    textButton('zoom', t('card.zoom'), () => app.showGeometry(answer.site.geometry, 17)),
    textButton('download', t('verdict.download'), () => download(answer)),
    textButton('print', t('verdict.print'), () => window.print()),
  );
}

/** @param {Answer} answer */
function download(answer) {
  const blob = new Blob([JSON.stringify(answer, null, 2)], { type: 'application/json' });
  const link = h('a', { href: URL.createObjectURL(blob), download: `onemap-${answer.law_date}-r${answer.as_of.revision}.json` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** What keeps the answer open: attributes not stated and places without data. @param {Answer} answer */
function unknowns(answer) {
  const lang = language();
  const missing = missingAttributes(answer).map((each) => pick(each.title, lang));
  const uncovered = answer.layers.filter((layer) => layer.coverage !== 'full');
  if (!missing.length && !uncovered.length) return null;
  return h(
    'section', { class: 'unknown-box' },
    h('h4', {}, icon('unknown'), t('verdict.unknowns')),
    missing.length > 0 && h('p', {}, t('verdict.missing', { names: listed(missing, lang) })),
    uncovered.length > 0 && h('ul', {}, uncovered.map((layer) => h('li', {}, t(`coverage.${layer.coverage}`, { layer: pick(layer.title, lang) })))),
  );
}

/** @param {App} app @param {Answer} answer @param {ThemeAnswer} theme @param {boolean} open */
function themeBlock(app, answer, theme, open) {
  const segments = strip(theme.parts, theme.verdict);
  const worst = segments.filter((each) => each.verdict !== 'clear');
  const words = worst.map((each) => `${t(`verdict.${each.verdict}`)} ${theme.parts ? percent(each.share, language()) : ''}`.trim()).join(', ');
  const block = h(
    'details', { class: `theme-block verdict-edge-${theme.verdict}`, open },
    h('summary', {},
      h('span', { class: 'theme-line' }, verdictBadge(theme.verdict), h('span', { class: 'grow' }, pick(theme.title, language())), severityBadge(theme.severity)),
      theme.parts && bar(segments, words)),
    theme.findings.map((finding) => findingArticle(app, finding)),
  );
  // While a theme is looked at, the map shows what is due to it alone.
  block.addEventListener('mouseenter', () => drawParts(app, theme.parts ?? answer.parts));
  block.addEventListener('mouseleave', () => drawParts(app, answer.parts));
  return block;
}

/** @param {Answer} answer */
function clearList(answer) {
  const lang = language();
  return h(
    'details', { class: 'fold' },
    h('summary', {}, icon('clear'), t('verdict.clear.list', { n: answer.clear.length })),
    answer.clear.length === 0 && h('p', { class: 'muted' }, t('verdict.clear.none')),
    h('ul', { class: 'plain' }, answer.clear.map((each) => h(
      'li', {}, h('span', { class: 'code' }, each.rule), ' ', pick(each.title, lang), h('span', { class: 'muted' }, ` ${pick(each.reason, lang)}`),
    ))),
  );
}

/** @param {Answer} answer */
function basis(answer) {
  const lang = language();
  return h(
    'details', { class: 'fold' },
    h('summary', {}, t('verdict.basis')),
    h('ul', { class: 'plain' }, answer.layers.map((layer) => h(
      'li', {}, pick(layer.title, lang), ' ', demonstrationBadge(layer.is_demonstration, true),
      h('span', { class: 'muted' }, ` ${layer.revision === null ? '' : t('verdict.revision', { rev: layer.revision })}`),
    ))),
    h('p', { class: 'muted small' }, [answer.engine, ...answer.packs.map((pack) => `${pack.id} ${pack.version} (${pack.hash.slice(0, 8)})`)].join(' · ')),
  );
}
