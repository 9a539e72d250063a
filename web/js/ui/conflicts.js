/** The conflict panel: how many, of which rule and severity, in which township; and the list itself. */

import { fetchConflictSummary, fetchItems, fetchPage } from '../api.js';
import { number, pick } from '../pure/format.js';
import { ledgerQuery } from '../pure/ledger.js';
import { SEVERITIES } from '../pure/verdict.js';
import { language, t } from '../words.js';
import { conflictRow } from './conflict.js';
import { h, icon, labelled, renew } from './dom.js';
import { fillWhenLoaded } from './loading.js';

/** @typedef {Readonly<import('../pure/ledger.js').LedgerFilter>} Filter */
/** @typedef {import('../types').App} App */
/** @typedef {import('../types').ConflictSummary} ConflictSummary */
/** @typedef {import('../types').Items} Items */
/** @typedef {import('../types').Verdict} Verdict */

const PAGE = 20;
/** @type {Verdict[]} */
const KEPT = ['conflict', 'edge', 'unknown'];

/**
 * @param {App} app
 * @returns {import('./panel.js').View}
 */
export function conflictsView(app) {
  return {
    kind: 'conflicts',
    title: () => t('conflicts.title'),
    render(body) {
      void fillWhenLoaded(body, fetchConflictSummary, (summary) => {
        const list = h('div', { class: 'conflict-list' });
        const controls = h('div', { class: 'conflict-filters' });
        const choose = () => {
          const filter = app.store.get().ledger;
          renew(controls, filters(app, summary, filter, (next) => {
            app.store.set({ ledger: next });
            choose();
          }));
          loadPage(app, list, () => fetchItems(app.conflictsLayer, { ...ledgerQuery(filter), limit: PAGE }), 0);
        };
        choose();
        return [lagNote(summary), controls, list];
      });
    },
  };
}

/** @param {ConflictSummary} summary */
function lagNote(summary) {
  if (summary.judged_revision === null) return h('p', { class: 'hint warn' }, t('conflicts.never'));
  const key = summary.lagging ? 'conflicts.lagging' : summary.rules_current === false ? 'conflicts.oldrules' : 'conflicts.judged';
  const words = t(key, { m: summary.judged_revision, head: summary.head });
  return h('p', { class: key === 'conflicts.judged' ? 'muted' : 'hint warn' }, words);
}

/** @param {App} app @param {ConflictSummary} summary @param {Filter} filter @param {(filter: Filter) => void} choose */
function filters(app, summary, filter, choose) {
  const lang = language();
  const rules = summary.by_rule.filter((each) => each.verdict === filter.verdict);
  const ofSeverity = rules.filter((each) => !filter.severity || each.severity === filter.severity);
  /** @param {keyof Filter} key @param {string} value */
  const set = (key, value) => {
    const wider = key === 'verdict' ? { severity: '', rule: '' } : key === 'severity' ? { rule: '' } : {};
    choose({ ...filter, ...wider, [key]: value });
  };
  return [
    h('div', { class: 'segments', role: 'group', 'aria-label': t('conflicts.verdict') }, KEPT.map((verdict) =>
      h('button', { type: 'button', 'data-key': verdict, class: `segment verdict-${verdict}`, 'aria-pressed': String(filter.verdict === verdict), onclick: () => set('verdict', verdict) },
        icon(verdict), h('span', {}, t(`verdict.${verdict}`)), h('b', {}, number(summary.by_verdict[verdict] ?? 0, lang))))),
    h('div', { class: 'tiles', role: 'group', 'aria-label': t('conflicts.severity') }, SEVERITIES.map((severity) => {
      const count = rules.filter((each) => each.severity === severity).reduce((sum, each) => sum + each.count, 0);
      const pressed = filter.severity === severity;
      return h('button', {
        type: 'button', 'data-key': severity, class: `tile severity-${severity}`, 'aria-pressed': String(pressed), disabled: count === 0 && !pressed,
        onclick: () => set('severity', pressed ? '' : severity),
      }, h('b', {}, number(count, lang)), h('span', {}, t(`severity.${severity}`)));
    })),
    byRule(app, ofSeverity, filter, (rule) => set('rule', filter.rule === rule ? '' : rule)),
    byTownship(summary, filter, (place) => set('place', place)),
  ];
}

/**
 * @param {App} app
 * @param {ConflictSummary['by_rule']} rows
 * @param {Filter} filter
 * @param {(rule: string) => void} choose
 */
function byRule(app, rows, filter, choose) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const { rule, count } of rows) counts.set(rule, (counts.get(rule) ?? 0) + count);
  const most = Math.max(1, ...counts.values());
  const sorted = [...counts].sort((a, b) => b[1] - a[1]);
  if (!sorted.length) return null;
  return h(
    'details', { class: 'fold', open: Boolean(filter.rule) },
    h('summary', {}, t('conflicts.by_rule', { n: sorted.length })),
    h('ul', { class: 'bars' }, sorted.map(([id, count]) => {
      const rule = app.config.rules.find((each) => each.id === id);
      const meter = h('span', { class: 'bar' });
      meter.style.width = `${(count / most) * 100}%`;
      return h('li', {}, h(
        'button', { type: 'button', 'data-key': id, class: 'bar-row', 'aria-pressed': String(filter.rule === id), onclick: () => choose(id) },
        meter, h('span', { class: 'grow' }, h('span', { class: 'code' }, id), ' ', rule ? pick(rule.title, language()) : ''), h('b', {}, number(count, language())),
      ));
    })),
  );
}

/** @param {ConflictSummary} summary @param {Filter} filter @param {(place: string) => void} choose */
function byTownship(summary, filter, choose) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const { county, township, verdict, count } of summary.by_township) {
    if (verdict && verdict !== filter.verdict) continue;
    const place = `${county ?? ''}|${township ?? ''}`;
    counts.set(place, (counts.get(place) ?? 0) + count);
  }
  const rows = [...counts].sort((a, b) => b[1] - a[1]);
  const select = h('select', { 'data-key': 'place' }, h('option', { value: '' }, t('conflicts.place.all')), rows.map(([place, count]) =>
    h('option', { value: place }, `${place.split('|').filter(Boolean).join(' ') || t('conflicts.place.none')} (${number(count, language())})`)));
  select.value = filter.place;
  select.addEventListener('change', () => choose(select.value));
  return labelled([t('conflicts.place')], select);
}

/** @param {App} app @param {HTMLElement} place @param {() => Promise<Items>} fetchRows @param {number} from */
function loadPage(app, place, fetchRows, from) {
  void fillWhenLoaded(place, fetchRows, (items) => {
    if (!items.features.length) return [h('p', { class: 'empty' }, icon('clear'), t('conflicts.empty'))];
    const lang = language();
    /** @param {string} rel @param {string} words @param {number} start */
    const turn = (rel, words, start) => {
      const link = items.links.find((each) => each.rel === rel);
      return link && h('button', { type: 'button', class: 'button quiet', onclick: () => loadPage(app, place, () => fetchPage(link.href), start) }, words);
    };
    const range = { a: number(from + 1, lang), b: number(from + items.features.length, lang), n: number(items.numberMatched, lang) };
    return [
      h('ul', { class: 'rows' }, items.features.map((item) => h('li', {}, conflictRow(app, item)))),
      h('div', { class: 'pager' }, h('span', { class: 'muted grow' }, t('table.range', range)),
        turn('prev', t('table.prev'), Math.max(0, from - PAGE)), turn('next', t('table.next'), from + items.features.length)),
    ];
  });
}
