import assert from 'node:assert/strict';
import { test } from 'node:test';

import { firstChoice, intentions, lacking, planOf, rowList, sizeOf, stepOf, twoGuesses, union } from '../../../web/js/pure/import.js';

const candidate = (crs, score, old = false) => ({ crs, score, title: { zh: crs, en: crs }, swapped: false, inside: 1, needs_parameters: old ? { zh: '旧', en: 'old' } : null, evidence: [], centre: null, bbox: null });
const group = (number, winner, ...candidates) => ({ number, rows: 3, first_row: 1, last_row: 3, candidates, winner });
const field = (name, column, required = false) => ({ field: name, title: { zh: name, en: name }, type: 'text', unit: null, required, column, score: 1, certain: true, why: { zh: '', en: '' }, unit_from: null, unknown_words: [] });
const found = (changes = {}) => ({
  id: 'x', state: 'ready', progress: null, problem: null, files: [{ name: '井.dbf', bytes: 1 }, { name: '井位.shp', bytes: 1 }],
  proposal: {
    layer: 'wells', mapping: [field('code', '编码', true), field('name', null)],
    crs: { groups: [group(1, null, candidate('EPSG:2385', 0.9, true), candidate('EPSG:4549', 0.8)), group(2, 'CRS84', candidate('CRS84', 1))] },
  },
  ...changes,
});

test('the first choice is what the service proposes and what can be used', () => {
  const choice = firstChoice(found());
  assert.deepEqual([choice.layer, choice.source, choice.mode], ['wells', '井位', 'upsert']);
  assert.deepEqual(choice.crs, { 1: 'EPSG:4549', 2: 'CRS84' });
  assert.deepEqual(choice.mapping, { code: '编码', name: '' });
  assert.equal(firstChoice(found({ proposal: null, files: null })).layer, '');
});

test('what was planned before a reload comes back', () => {
  const plan = planOf({ ...firstChoice(found()), crs: { 1: 'EPSG:4528', 2: 'CRS84' }, mapping: { code: '', name: '编码' }, accuracy: ' 2.5 ' });
  assert.deepEqual(plan.crs_groups, { 1: 'EPSG:4528', 2: 'CRS84' });
  assert.equal(plan.source.accuracy_m, 2.5);
  const again = firstChoice(found({ plan }));
  assert.deepEqual([again.crs, again.mapping, again.accuracy], [{ 1: 'EPSG:4528', 2: 'CRS84' }, { code: '', name: '编码' }, '2.5']);
});

test('one system for all rows is sent as one, and none as auto', () => {
  const choice = { ...firstChoice(found()), crs: { 1: 'EPSG:4549', 2: 'EPSG:4549' } };
  assert.deepEqual([planOf(choice).crs, planOf(choice).crs_groups], ['EPSG:4549', {}]);
  assert.equal(planOf({ ...choice, crs: {} }).crs, 'auto');
  for (const accuracy of ['', 'near', '-1']) assert.equal(planOf({ ...choice, accuracy }).source.accuracy_m, null);
});

test('what is lacking is named', () => {
  const choice = firstChoice(found());
  assert.deepEqual(lacking(choice, found().proposal.mapping), { fields: [], groups: [] });
  const bare = lacking({ ...choice, mapping: { code: '' }, crs: { 1: '' } }, found().proposal.mapping);
  assert.deepEqual([bare.fields.map((each) => each.field), bare.groups], [['code'], [1]]);
});

test('the second guess is the best other one that can be used', () => {
  const { groups } = found().proposal.crs;
  assert.deepEqual(twoGuesses(groups[0], 'EPSG:4549'), ['EPSG:4549', 'EPSG:2385']);
  assert.deepEqual(twoGuesses(groups[1], 'CRS84'), ['CRS84']);
  assert.deepEqual(twoGuesses(groups[1], 'EPSG:4490'), ['EPSG:4490', 'CRS84']);
  const three = group(1, null, candidate('A', 1), candidate('B', 0.9, true), candidate('C', 0.5), candidate('D', 0.01));
  assert.deepEqual(twoGuesses(three, 'A'), ['A', 'C']);
  assert.deepEqual(twoGuesses(group(1, null, candidate('A', 1), candidate('D', 0.01)), 'A'), ['A']);
});

test('the step follows the state', () => {
  assert.deepEqual(['reading', 'refused', 'ready', 'checking', 'planned', 'committing', 'done'].map((state) => stepOf({ state })), [0, 0, 1, 3, 3, 4, 4]);
});

test('row numbers are joined to runs', () => {
  assert.deepEqual(rowList([1, 2, 3, 7, 9, 10], 6), { text: '1–3, 7, 9–10', more: 0 });
  assert.deepEqual(rowList([1, 3, 5, 7], 900, 2), { text: '1, 3', more: 898 });
  assert.deepEqual(rowList([], 0), { text: '', more: 0 });
});

test('what is dropped is screened, imported, or as the user says', () => {
  const site = (hasProperties) => ({ geometry: { type: 'Point', coordinates: [1, 2] }, hasProperties });
  const ways = (names, sites, table = false) => {
    const { screen, load } = intentions(names.map((name) => ({ name })), sites, table);
    return `${screen ? 'screen' : ''}${load ? 'load' : ''}`;
  };
  assert.equal(ways(['a.geojson'], [site(false)]), 'screen');
  assert.equal(ways(['a.geojson'], [site(true)]), 'screenload');
  assert.equal(ways(['a.geojson'], [site(false), site(false)]), 'screenload');
  assert.equal(ways(['a.geojson'], null), 'load');
  assert.equal(ways(['a.wkt'], [site(false)]), 'screen');
  assert.equal(ways(['letter.txt'], null), '');
  assert.equal(ways(['地块.txt'], null, true), 'load');
  assert.equal(ways(['a.ZIP'], null), 'load');
  assert.equal(ways(['a.shp', 'a.dbf'], null), 'load');
});

test('boxes are joined', () => {
  assert.equal(union([null, null]), null);
  assert.deepEqual(union([null, [1, 2, 3, 4], [0, 3, 2, 9]]), [0, 2, 3, 9]);
});

test('sizes are told in a fitting unit', () => {
  assert.deepEqual([sizeOf(500), sizeOf(2048), sizeOf(3 * 2 ** 20)], [[500, 'B'], [2, 'KB'], [3, 'MB']]);
});
