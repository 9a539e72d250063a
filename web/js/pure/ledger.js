/** Which rows of the conflict ledger are looked at: the same choice for the list and for the map. */

/**
 * @typedef {object} LedgerFilter
 * @property {string} verdict
 * @property {string} severity '' for all
 * @property {string} rule '' for all
 * @property {string} place "county|township", '' for all
 */

/** Real conflicts first; edges and unknown ones are one step away. @type {Readonly<LedgerFilter>} */
export const REAL_CONFLICTS = { verdict: 'conflict', severity: '', rule: '', place: '' };

/**
 * The filter as properties of the conflicts layer; only those that are chosen.
 * @param {LedgerFilter} filter
 * @returns {Record<string, string>}
 */
export function ledgerQuery({ verdict, severity, rule, place }) {
  const [county = '', township = ''] = place.split('|');
  return Object.fromEntries(Object.entries({ verdict, severity, rules: rule, county, township }).filter(([, value]) => value));
}

/**
 * A filter as text for a link; '' for the usual one.
 * @param {LedgerFilter} filter
 */
export function encodeLedger(filter) {
  const text = [filter.verdict, filter.severity, filter.rule, filter.place].join('/').replace(/\/+$/, '');
  return text === REAL_CONFLICTS.verdict ? '' : text;
}

/**
 * The filter of such a text.
 * @param {string | null} text
 * @returns {LedgerFilter}
 */
export function decodeLedger(text) {
  const [verdict, severity = '', rule = '', ...place] = (text ?? '').split('/');
  return { verdict: verdict || REAL_CONFLICTS.verdict, severity, rule, place: place.join('/') };
}
