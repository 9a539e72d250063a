/** One finding of a verdict: rule, facts, what is missing, and the law. */

import { area, bearing, date, listed, metres, percent, pick } from '../pure/format.js';
import { language, t } from '../words.js';
import { demonstrationBadge, indicativeBadge, severityBadge, verdictBadge } from './badges.js';
import { marginWords } from './conflict.js';
import { h } from './dom.js';

/** @typedef {import('../types').App} App */
/** @typedef {import('../types').Finding} Finding */
/** @typedef {import('../types').Legal} Legal */
/** @typedef {import('../types').ZoneFact} ZoneFact */

/** @param {App} app @param {Finding} finding */
export function findingArticle(app, finding) {
  const lang = language();
  const official = finding.severity_if_official;
  const witnesses = finding.zones.map((zone) => zone.witness);
  const element = h(
    'article', { class: `finding verdict-edge-${finding.verdict}` },
    h('h4', {}, pick(finding.title, lang), h('span', { class: 'code' }, finding.rule)),
    h('p', { class: 'badges-row' }, verdictBadge(finding.verdict), severityBadge(finding.severity),
      official && official !== finding.severity && h('span', { class: 'muted' }, t('finding.official', { severity: t(`severity.${official}`) }))),
    h('p', { class: 'sentence' }, pick(finding.sentence, lang)),
    finding.missing.length > 0 && h('p', { class: 'hint unknown' }, t('finding.missing', { names: listed(finding.missing.map((each) => pick(each.title, lang)), lang) })),
    finding.zones.length > 0 && h('ul', { class: 'zones' }, finding.zones.map((zone) => zoneRow(app, zone))),
    h('div', { class: 'laws' }, finding.legal.map(legalBlock)),
    !finding.has_basis && h('p', { class: 'hint warn' }, t('finding.nolaw')),
    notes(finding),
  );
  element.addEventListener('mouseenter', () => app.highlights.show('finding', witnesses, 'hover'));
  element.addEventListener('mouseleave', () => app.highlights.clear('finding'));
  return element;
}

/** @param {App} app @param {ZoneFact} zone */
function zoneRow(app, zone) {
  const lang = language();
  const layer = app.layers.get(zone.layer);
  const where = zone.distance_m ? [metres(zone.distance_m, lang), bearing(zone.bearing_deg, lang)].filter(Boolean).join(' ') : '';
  /** @type {[string, string][]} */
  const facts = [
    [t('fact.overlap'), zone.overlap_m2 ? area(zone.overlap_m2, lang) : zone.overlap_m ? metres(zone.overlap_m, lang) : ''],
    [t('fact.share'), zone.share ? percent(zone.share, lang) : ''],
    [t('fact.distance'), where],
    [t('fact.margin'), marginWords(zone.margin_m, zone.error_m)],
    [t('fact.boundary'), zone.on_boundary ? t('fact.boundary.touch') : ''],
    [t('source.name'), pick(zone.source?.title, lang) || (zone.source?.name ?? '')],
  ];
  const name = zone.name || zone.uid;
  const show = () => {
    app.highlights.show('finding', [zone.witness], 'hover');
    if (zone.witness) app.showGeometry(zone.witness, 17);
  };
  return h(
    'li', { class: 'zone' },
    h('p', { class: 'zone-head' },
      h('button', { type: 'button', class: 'link', onclick: show }, name), h('span', { class: 'muted' }, pick(zone.layer_title ?? layer?.title, lang)),
      indicativeBadge(zone.is_indicative, true), demonstrationBadge(zone.is_demonstration, true)),
    h('dl', { class: 'facts small' }, facts.filter(([, text]) => text).flatMap(([title, text]) => [h('dt', {}, title), h('dd', {}, text)])),
    layer && zone.uid && h('button', { type: 'button', class: 'link no-print', onclick: () => app.openCard(zone.layer, zone.uid, { over: true, zoom: true }) }, t('finding.zone')),
  );
}

/** @param {Legal} legal */
function legalBlock(legal) {
  const lang = language();
  const from = legal.valid_from ? date(legal.valid_from, lang) : '';
  const to = legal.valid_to ? date(legal.valid_to, lang) : '';
  const force = from || to ? t(to ? 'law.between' : 'law.since', { from: from || '…', to }) : '';
  return h(
    'details', { class: 'law' },
    h('summary', {}, pick(legal.citation, lang)),
    h('blockquote', {}, pick(legal.text, lang)),
    h('p', { class: 'muted small' }, [force, legal.dates_confirmed === false ? t('law.unconfirmed') : ''].filter(Boolean).join(' · ')),
  );
}

/** Exceptions, what to do, and remarks, each when there is one. @param {Finding} finding */
function notes(finding) {
  const lang = language();
  /** @type {[string, string][]} */
  const rows = [
    [t('finding.exceptions'), pick(finding.exceptions, lang)],
    [t('finding.disposal'), pick(finding.disposal, lang)],
    [t('finding.penalty'), pick(finding.penalty, lang)],
    [t('finding.note'), [finding.note, ...(finding.notes ?? [])].map((each) => pick(each, lang)).filter(Boolean).join(' ')],
  ];
  const said = rows.filter(([, text]) => text);
  if (!said.length) return null;
  return h('dl', { class: 'facts small notes' }, said.flatMap(([title, text]) => [h('dt', {}, title), h('dd', {}, text)]));
}
