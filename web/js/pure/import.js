/** The import of files as decisions and numbers: what was dropped, which step comes next, what is sent. No DOM. */

/** @typedef {import('../types').Import} Import */
/** @typedef {import('../types').ImportPlan} ImportPlan */
/** @typedef {import('../types').CrsProposal} CrsProposal */
/** @typedef {import('../types').FieldChoice} FieldChoice */

/**
 * What the user has decided so far, begun with what the service proposes.
 * @typedef {object} Choice
 * @property {string} layer
 * @property {Record<number, string>} crs by number of the group of rows
 * @property {Record<string, string>} mapping field to column, '' for none
 * @property {ImportPlan['mode']} mode
 * @property {ImportPlan['outside']} outside
 * @property {string} source
 * @property {string} bureau
 * @property {string} accuracy in metres, as typed
 * @property {boolean} closeMany that more than a fifth of the source's rows may be closed
 */

/** A candidate less likely than this beside the best one is no second guess worth showing. */
const SECOND_GUESS = 0.05;

/**
 * Which of the four steps (1 file and place, 2 columns, 3 check, 4 import) an import stands at; 0 before the first.
 * @param {Pick<Import, 'state' | 'check'>} found
 */
export function stepOf({ state, check }) {
  if (state === 'committing' || state === 'done') return 4;
  if (state === 'checking' || state === 'planned' || check) return 3;
  return state === 'ready' ? 1 : 0;
}

/** Whether somebody works on it, so that asking again makes sense. @param {Pick<Import, 'state'>} found */
export const isBusy = ({ state }) => ['receiving', 'reading', 'checking', 'committing'].includes(state);

/**
 * What the service proposes, as a first choice; what was planned before goes first.
 * @param {Import} found
 * @returns {Choice}
 */
export function firstChoice(found) {
  const { plan, proposal, files } = found;
  const stem = (files?.find(({ name }) => name.endsWith('.shp')) ?? files?.[0])?.name.replace(/\.[^.]+$/, '') ?? '';
  return {
    layer: proposal?.layer ?? '',
    crs: firstCrs(proposal?.crs ?? null, plan ?? null),
    mapping: { ...firstMapping(proposal?.mapping ?? []), ...plan?.mapping },
    mode: plan?.mode ?? 'upsert',
    outside: plan?.outside ?? 'refuse',
    source: plan?.source.name ?? stem,
    bureau: plan?.source.bureau ?? '',
    accuracy: plan?.source.accuracy_m === null || plan?.source.accuracy_m === undefined ? '' : String(plan.source.accuracy_m),
    closeMany: false,
  };
}

/** @param {CrsProposal | null} crs @param {ImportPlan | null} plan @returns {Record<number, string>} */
function firstCrs(crs, plan) {
  return Object.fromEntries((crs?.groups ?? []).map((group) => {
    const planned = plan?.crs_groups[String(group.number)] ?? (plan && plan.crs !== 'auto' ? plan.crs : null);
    return [group.number, planned ?? group.winner ?? group.candidates.find((each) => !each.needs_parameters)?.crs ?? ''];
  }));
}

/** @param {readonly FieldChoice[]} fields @returns {Record<string, string>} */
export function firstMapping(fields) {
  return Object.fromEntries(fields.map(({ field, column }) => [field, column ?? '']));
}

/**
 * The two readings of a group to show on the map: the chosen one, and the best of the others.
 * @param {import('../types').CrsGroup} group
 * @param {string} chosen
 * @returns {string[]} one or two names
 */
export function twoGuesses(group, chosen) {
  const top = group.candidates[0]?.score ?? 0;
  const others = group.candidates.filter(({ crs, score }) => crs !== chosen && score >= top * SECOND_GUESS);
  const other = others.find((each) => !each.needs_parameters) ?? others[0];
  return [chosen, other?.crs].filter((each) => typeof each === 'string' && each !== '').map(String);
}

/**
 * The choice in the form that the service takes.
 * @param {Choice} choice
 * @returns {ImportPlan}
 */
export function planOf(choice) {
  const [main = 'auto', ...others] = Object.values(choice.crs);
  const alike = others.every((each) => each === main);
  const accuracy = Number(choice.accuracy);
  return {
    layer: choice.layer,
    crs: main || 'auto',
    crs_groups: alike ? {} : Object.fromEntries(Object.entries(choice.crs).filter(([, crs]) => crs)),
    mapping: choice.mapping,
    mode: choice.mode,
    outside: choice.outside,
    source: {
      name: choice.source.trim(),
      bureau: choice.bureau.trim() || null,
      accuracy_m: choice.accuracy.trim() === '' || !Number.isFinite(accuracy) || accuracy < 0 ? null : accuracy,
    },
  };
}

/**
 * What keeps a choice from being tried: fields without a column that every row must have, and groups without a CRS.
 * @param {Choice} choice
 * @param {readonly FieldChoice[]} fields
 * @returns {{fields: FieldChoice[], groups: number[]}}
 */
export function lacking(choice, fields) {
  return {
    fields: fields.filter(({ field, required }) => required && !choice.mapping[field]),
    groups: Object.entries(choice.crs).filter(([, crs]) => !crs).map(([number]) => Number(number)),
  };
}

/**
 * Row numbers in one line: runs are joined, and what does not fit is counted.
 * @param {readonly number[]} rows ascending
 * @param {number} count how many there are in all
 * @param {number} [most] runs
 * @returns {{text: string, more: number}}
 */
export function rowList(rows, count, most = 8) {
  /** @type {[number, number][]} */
  const runs = [];
  for (const row of rows) {
    const last = runs.at(-1);
    if (last && row === last[1] + 1) last[1] = row;
    else runs.push([row, row]);
  }
  const shown = runs.slice(0, most);
  const told = shown.reduce((sum, [from, to]) => sum + to - from + 1, 0);
  return { text: shown.map(([from, to]) => (from === to ? `${from}` : `${from}–${to}`)).join(', '), more: Math.max(0, count - told) };
}

/** Endings that only an import can make sense of. */
const TABLES = /\.(zip|shp|dbf|shx|prj|cpg|gpkg|fgb|parquet|geoparquet|geojsonl|geojsons|ndjson|kmz|dxf|csv|tsv|xlsx|wkb)$/i;

/**
 * What can be done with what was dropped.
 * @param {readonly {name: string}[]} files
 * @param {{geometry: import('geojson').Geometry, hasProperties: boolean}[] | null} sites what `readSites` found in the only file; null: nothing
 * @param {boolean} isBoundaryPoints whether it is a table of boundary points ([地块坐标])
 * @returns {{screen: boolean, load: boolean}} screen: as a site; load: as rows of a layer
 */
export function intentions(files, sites, isBoundaryPoints) {
  if (files.length > 1 || files.some(({ name }) => TABLES.test(name)) || isBoundaryPoints) return { screen: false, load: true };
  if (!sites) return { screen: false, load: /\.(geo)?json$|\.kml$/i.test(files[0]?.name ?? '') };
  return { screen: true, load: sites.length > 1 || sites.some(({ hasProperties }) => hasProperties) };
}

/** The box around boxes; null around none. @param {readonly (import('../types').Box | null)[]} boxes @returns {import('../types').Box | null} */
export function union(boxes) {
  return boxes.reduce((whole, box) => {
    if (!whole || !box) return whole ?? box;
    return [Math.min(whole[0], box[0]), Math.min(whole[1], box[1]), Math.max(whole[2], box[2]), Math.max(whole[3], box[3])];
  }, null);
}

/** The size of a file in a unit a person reads. @param {number} bytes @returns {[number, 'B' | 'KB' | 'MB']} */
export function sizeOf(bytes) {
  if (bytes < 1024) return [bytes, 'B'];
  return bytes < 1024 ** 2 ? [bytes / 1024, 'KB'] : [bytes / 1024 ** 2, 'MB'];
}
