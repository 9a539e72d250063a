/** One row of the conflict ledger, as a line of a list and as a card. */

import { fetchItem } from '../api.js';
import { titlesOf } from '../pure/fields.js';
import { area, date, listed, metres, percent, pick } from '../pure/format.js';
import { language, t } from '../words.js';
import { demonstrationBadge, severityBadge, verdictBadge } from './badges.js';
import { h, icon } from './dom.js';
import { askMark } from './mark.js';
import { textButton } from './tree.js';

/** @typedef {import('../types').App} App */
/** @typedef {import('../types').Item} Item */
/** @typedef {import('../types').Properties} Properties */

/** @param {Properties} row @param {string} name */
const text = (row, name) => (row[name] === null || row[name] === undefined ? '' : String(row[name]));

/** @param {Properties} row @param {string} name @returns {number | null} */
const amount = (row, name) => (typeof row[name] === 'number' ? /** @type {number} */ (row[name]) : null);

/** Titles of the rules of a row. @param {App} app @param {Properties} row */
function ruleTitles(app, row) {
  return text(row, 'rules').split(/\s+/).filter(Boolean).map((id) => {
    const rule = app.config.rules.find((each) => each.id === id);
    return { id, title: rule ? pick(rule.title, language()) : '' };
  });
}

/**
 * A line that opens the conflict.
 * @param {App} app
 * @param {Item} item
 * @param {readonly ('subject' | 'zone')[]} [sides] which parties to name: on a card one of them is known
 */
export function conflictRow(app, item, sides = ['subject', 'zone']) {
  const row = item.properties;
  const [first] = ruleTitles(app, row);
  const parties = sides.map((side) => text(row, `${side}_name`)).filter(Boolean).join(' → ');
  return h(
    'button', {
      type: 'button', class: `row verdict-edge-${text(row, 'verdict')}`,
      onclick: () => app.openCard(app.conflictsLayer, text(row, 'uid'), { over: true, zoom: true }),
    },
    h('span', { class: `row-icon verdict-${text(row, 'verdict')}` }, icon(text(row, 'verdict'))),
    h('span', { class: 'row-main' },
      h('span', { class: 'row-title' }, parties || text(row, 'title')),
      h('span', { class: 'row-sub' }, [first?.id, first?.title].filter(Boolean).join(' · ')),
      h('span', { class: 'row-sub' }, [measures(row), text(row, 'township'), standingWords(item)].filter(Boolean).join(' · '))),
    h('span', { class: 'row-badges' }, severityBadge(/** @type {any} */ (row['severity'])), demonstrationBadge(row['is_demonstration'] === true, true)),
  );
}

/** Since when a conflict is open, and how people marked it, in a few words. @param {Item} item */
function standingWords({ standing }) {
  if (!standing) return '';
  const since = t('standing.since', { date: date(standing.since, language()) });
  return standing.status === 'open' ? since : `${since} · ${t(`standing.${standing.status}`)}`;
}

/** What has become of a conflict: openings and closings, and every mark with who and why. @param {App} app @param {Item} item */
function standingFacts(app, item) {
  const { standing } = item;
  if (!standing) return null;
  const lang = language();
  const marks = standing.marks.map((each) => h('li', { class: each.stands ? '' : 'muted' },
    [date(each.at, lang), t(`standing.${each.mark}`), each.who].join(' · '),
    h('br', {}), each.why, each.until && ` (${t('standing.until', { date: date(each.until, lang) })})`));
  const history = standing.history.map((each) => `${t(`standing.was.${each.what}`)} ${date(each.at, lang)} (${t('source.revision')} ${each.revision})`);
  const section = h(
    'section', { class: 'card-section' },
    h('h4', {}, t('standing.title')),
    h('dl', { class: 'facts small' },
      h('dt', {}, t('standing.open_since')), h('dd', {}, t('standing.days', { date: date(standing.since, lang), n: standing.days })),
      h('dt', {}, t('standing.mark')), h('dd', {}, t(`standing.${standing.status}`))),
    marks.length > 0 && h('ul', { class: 'small marks' }, marks),
    markButton(app, async () => {
      item.standing = (await askMark(item)) ?? standing;
      section.replaceWith(standingFacts(app, item) ?? '');
    }),
    history.length > 1 && h('details', { class: 'fold' }, h('summary', {}, t('standing.history')), h('p', { class: 'muted' }, listed(history, lang))),
  );
  return section;
}

/** Nothing for those who are signed in as somebody who may not; others are asked to sign in. @param {App} app @param {() => Promise<void>} mark */
function markButton(app, mark) {
  const { session } = app.store.get();
  if (session?.signed_in && !session.actions.includes('mark')) return null;
  return h('div', { class: 'buttons' }, textButton('edit', t('mark.button'), () => void mark()));
}

/** Overlap, distance or margin of a row, in a few words. @param {Properties} row */
function measures(row) {
  const lang = language();
  const overlap = amount(row, 'overlap_m2');
  const distance = amount(row, 'distance_m');
  const margin = amount(row, 'margin_m');
  if (overlap) return `${area(overlap, lang)} (${percent(amount(row, 'share'), lang)})`;
  if (distance) return t('conflict.distance.of', { d: metres(distance, lang) });
  if (margin === 0) return t('margin.crosses');
  if (margin !== null) return t(margin > 0 ? 'margin.inside' : 'margin.outside', { d: metres(Math.abs(margin), lang) });
  return '';
}

/**
 * The card of a conflict; subject and zone are marked on the map as soon as they arrive.
 * @param {App} app
 * @param {Item} item
 */
export function conflictFacts(app, item) {
  const row = item.properties;
  void markParty(app, 'conflict-subject', text(row, 'subject_layer'), text(row, 'subject_uid'));
  void markParty(app, 'conflict-zone', text(row, 'zone_layer'), text(row, 'zone_uid'));
  return [
    h('p', { class: 'badges-row' },
      verdictBadge(/** @type {any} */ (row['verdict'])), severityBadge(/** @type {any} */ (row['severity'])),
      demonstrationBadge(row['is_demonstration'] === true)),
    ...ruleTitles(app, row).map(({ id, title }) => h('h3', { class: 'conflict-rule' }, title || id, title && h('span', { class: 'code' }, id))),
    h('div', { class: 'parties' }, party(app, 'subject', row), party(app, 'zone', row)),
    h('dl', { class: 'facts' }, factRows(app, row).flatMap(([title, value]) => [h('dt', {}, title), h('dd', {}, value)])),
    h('div', { class: 'buttons' }, textButton('zoom', t('conflict.zoom'), () => app.showGeometry(item.geometry))),
    standingFacts(app, item),
  ];
}

/** @param {App} app @param {string} name @param {string} layer @param {string} uid */
async function markParty(app, name, layer, uid) {
  if (!layer || !uid || !app.layers.has(layer)) return;
  const item = await fetchItem(layer, uid).catch(() => null);
  const { selection } = app.store.get();
  if (item && selection?.layer === app.conflictsLayer) {
    app.highlights.show(name, [item.geometry], name === 'conflict-zone' ? 'zone' : 'selection');
  }
}

/** @param {App} app @param {'subject' | 'zone'} side @param {Properties} row */
function party(app, side, row) {
  const layer = app.layers.get(text(row, `${side}_layer`));
  const uid = text(row, `${side}_uid`);
  if (!layer) return null;
  return h(
    'button', { type: 'button', class: `row party party-${side}`, onclick: () => app.openCard(layer.id, uid, { over: true }) },
    h('span', { class: 'row-main' },
      h('span', { class: 'row-sub' }, `${t(`conflict.${side}`)} · ${pick(layer.title, language())}`),
      h('span', { class: 'row-title' }, text(row, `${side}_name`) || uid)),
  );
}

/** @param {App} app @param {Properties} row @returns {[string, string][]} */
function factRows(app, row) {
  const lang = language();
  const missing = text(row, 'missing').split(/\s+/).filter(Boolean);
  const official = text(row, 'severity_if_official');
  /** @type {[string, string][]} */
  const rows = [
    [t('fact.overlap'), amount(row, 'overlap_m2') ? area(amount(row, 'overlap_m2'), lang) : ''],
    [t('fact.share'), amount(row, 'share') ? percent(amount(row, 'share'), lang) : ''],
    [t('fact.distance'), amount(row, 'distance_m') ? metres(amount(row, 'distance_m'), lang) : ''],
    [t('fact.margin'), marginWords(amount(row, 'margin_m'), amount(row, 'error_m'))],
    [t('fact.boundary'), row['on_boundary'] === true ? t('fact.boundary.touch') : ''],
    [t('fact.missing'), missing.length ? listed(missingTitles(app, row, missing), lang) : ''],
    [t('fact.official'), official && official !== row['severity'] ? t(`severity.${official}`) : ''],
    [t('fact.article'), text(row, lang === 'zh' ? 'article' : 'article_en') || text(row, 'article')],
    [t('fact.place'), [text(row, 'county'), text(row, 'township')].filter(Boolean).join(' ')],
    [t('fact.lawdate'), row['law_date'] ? date(text(row, 'law_date'), lang) : ''],
    [t('fact.judged'), row['judged_rev'] ? t('source.since', { rev: text(row, 'judged_rev') }) : ''],
  ];
  return rows.filter(([, value]) => value);
}

/** Titles of attributes that the subject of a row lacks. @param {App} app @param {Properties} row @param {string[]} names */
function missingTitles(app, row, names) {
  const fields = app.layers.get(text(row, 'subject_layer'))?.fields ?? [];
  const own = names.includes('accuracy_m') ? [t('source.accuracy')] : [];
  return [...own, ...titlesOf(fields, names.filter((name) => name !== 'accuracy_m'), language())];
}

/**
 * A signed margin beside the error it has to be seen with.
 * @param {number | null | undefined} margin metres, positive inside
 * @param {number | null | undefined} error metres
 */
export function marginWords(margin, error) {
  if (margin === null || margin === undefined) return '';
  const lang = language();
  const where = margin === 0 ? t('margin.crosses') : t(margin > 0 ? 'margin.inside' : 'margin.outside', { d: metres(Math.abs(margin), lang) });
  if (error === null || error === undefined) return `${where}; ${t('margin.error.unknown')}`;
  return `${where}; ${t('margin.error', { d: metres(error, lang) })}`;
}
