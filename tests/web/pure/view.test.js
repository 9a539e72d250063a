import assert from 'node:assert/strict';
import { test } from 'node:test';

import { cardRows, labelOf, titlesOf, valueInWords } from '../../../web/js/pure/fields.js';
import { atOnePlace, clusterBox, meant } from '../../../web/js/pure/pick.js';
import { dashes, drawingOrder, HATCH_CELL, painter, shapePath } from '../../../web/js/pure/style.js';
import { graticuleStep, tileBox, tileMeets } from '../../../web/js/pure/tiles.js';
import { missingAttributes, strip, themesWorstFirst, worstFirst } from '../../../web/js/pure/verdict.js';

const FUEL = { name: 'fuel', title: { zh: '燃料', en: 'Fuel' }, type: 'enum', codes: [{ code: 'coal', zh: '煤', en: 'coal' }] };

test('values are said in words: codes, yes and no, units, dates, years', () => {
  const plain = (type, unit) => ({ name: 'x', title: { zh: '', en: '' }, type, unit });
  assert.equal(valueInWords(FUEL, 'coal', 'zh'), '煤');
  assert.equal(valueInWords(FUEL, 'peat', 'en'), 'peat');
  assert.equal(valueInWords(plain('boolean'), false, 'zh'), '否');
  assert.equal(valueInWords(plain('number', 't/a'), 1234.5, 'en'), '1,234.5 t/a');
  assert.equal(valueInWords(plain('integer'), 2026, 'en'), '2026');
  assert.equal(valueInWords(plain('date'), '2026-08-15', 'zh'), '2026年8月15日');
  assert.equal(valueInWords(plain('text'), null, 'zh'), '');
  assert.equal(valueInWords(plain('number'), 0, 'en'), '0');
});

test('a card keeps what is not known apart from what is', () => {
  const layer = { fields: [FUEL, { name: 'n', title: { zh: '数', en: 'Number' }, type: 'integer' }], names: { label: 'fuel' } };
  assert.deepEqual(cardRows(layer, { fuel: 'coal', n: null }, 'en'), { known: [{ name: 'fuel', title: 'Fuel', text: 'coal' }], unknown: ['Number'] });
  assert.equal(labelOf(layer, { uid: 'u1' }), 'u1');
  assert.deepEqual(titlesOf(layer.fields, ['fuel', 'other'], 'zh'), ['燃料', 'other']);
});

test('a class overrides the style where it speaks, and nothing else', () => {
  const paint = painter({ colour: '#111111', shape: 'square', by: 'grade', classes: [{ value: '1', colour: '#ff0000', shape: null }] });
  assert.deepEqual([paint({ grade: '1' }).colour, paint({ grade: '1' }).shape], ['#ff0000', 'square']);
  assert.equal(paint({ grade: '2' }).colour, '#111111');
  assert.equal(paint({}).colour, '#111111');
});

test('areas lie under lines, lines under points, derived layers on top', () => {
  const layer = (id, geometry, order, role = 'context') => ({ id, geometry, order, role });
  const layers = [layer('p', 'Point', 1), layer('c', 'Geometry', 0, 'derived'), layer('a2', 'MultiPolygon', 9), layer('l', 'LineString', 0), layer('a1', 'Polygon', 2), layer('t', 'none', 0)];
  assert.deepEqual(drawingOrder(layers).map((each) => each.id), ['a1', 'a2', 'l', 'p', 'c']);
});

test('every shape is a closed path, and hatches join at tile edges', () => {
  for (const shape of ['circle', 'square', 'triangle', 'diamond', 'cross']) assert.match(shapePath(shape, 5), /^M[-\d.,\sHVLAZ]+Z$/);
  assert.equal(256 % HATCH_CELL, 0);
  assert.deepEqual([dashes('6 3'), dashes([6, 0, 3]), dashes(null)], [[6, 3], [6, 3], []]);
});

test('tile boxes are those of Web Mercator', () => {
  const [west, south, east, north] = tileBox(1, 1, 0);
  assert.deepEqual([west, east], [0, 180]);
  assert.ok(Math.abs(south) < 1e-9 && Math.abs(north - 85.0511) < 1e-3);
});

test('tiles beside an extent are not asked for, those at its rim are', () => {
  const extent = [119, 28, 121, 30];
  assert.equal(tileMeets(8, 213, 106, extent), true);
  assert.equal(tileMeets(8, 100, 106, extent), false);
  assert.equal(tileMeets(8, 100, 106, null), true);
  const [west] = tileBox(8, 213, 106);
  assert.equal(tileMeets(8, 213, 106, [west - 1, 28, west - 0.05, 30]), true);
});

test('the graticule keeps its distance at every zoom', () => {
  for (let zoom = 3; zoom < 14; zoom += 1) {
    const pixels = (graticuleStep(zoom) / 360) * 256 * 2 ** zoom;
    assert.ok(pixels >= 100 && pixels <= 260, `zoom ${zoom}: ${pixels}`);
  }
});

const LAYERS = new Map([['counties', { role: 'context' }], ['zones', { role: 'zone' }], ['plants', { role: 'subject' }]]);
const hit = (layer, uid, geometry = 3, more = {}) => ({ layer, geometry, properties: { uid, ...more } });

test('orienting areas count only when nothing else is hit', () => {
  assert.deepEqual(meant([hit('plants', 'p', 1), hit('counties', 'c')], LAYERS).map((each) => each.layer), ['plants']);
  assert.deepEqual(meant([hit('counties', 'c')], LAYERS).map((each) => each.layer), ['counties']);
});

test('one feature in several pieces is one hit; two clusters are two', () => {
  assert.equal(meant([hit('zones', 'z'), hit('zones', 'z')], LAYERS).length, 1);
  const clusters = ['1,2,1,2', '3,4,3,4'].map((bbox) => hit('plants', undefined, 1, { n: 5, bbox }));
  assert.equal(meant(clusters, LAYERS).length, 2);
});

test('a cluster at one place is listed, a wide one is opened by coming closer', () => {
  assert.deepEqual(clusterBox({ bbox: '119.1,29.1,119.2,29.2' }), [119.1, 29.1, 119.2, 29.2]);
  assert.equal(atOnePlace([119.1, 29.1, 119.1000002, 29.1000002]), true);
  assert.equal(atOnePlace([119.1, 29.1, 119.2, 29.1]), false);
});

test('findings come worst first: verdict, then severity, then rule', () => {
  const findings = [['edge', 'prohibited', 'A'], ['conflict', 'notice', 'B'], ['conflict', 'prohibited', 'D'], ['conflict', 'prohibited', 'C'], ['unknown', null, 'E']]
    .map(([verdict, severity, rule]) => ({ verdict, severity, rule }));
  assert.deepEqual(findings.sort(worstFirst).map((each) => each.rule), ['C', 'D', 'B', 'E', 'A']);
});

test('a strip keeps slivers visible and leaves out what is not there', () => {
  const parts = { conflict: { area_m2: 1, share: 0.0001 }, clear: { area_m2: 9999, share: 0.9999 }, edge: { area_m2: 0, share: 0 }, unknown: null };
  const pieces = strip(parts, 'conflict');
  assert.deepEqual(pieces.map((each) => each.verdict), ['conflict', 'clear']);
  assert.ok(pieces[0].width > 2.5);
  assert.ok(Math.abs(pieces[0].width + pieces[1].width - 100) < 1e-9);
  assert.equal(pieces[0].share, 0.0001);
});

test('a point has one whole strip of its verdict', () => {
  assert.deepEqual(strip(null, 'edge'), [{ verdict: 'edge', share: 1, width: 100, amount: null }]);
});

test('themes come worst first and missing attributes once', () => {
  const finding = (rule, verdict, missing) => ({ rule, verdict, severity: 'review', missing: missing.map((name) => ({ name, title: { zh: name, en: name } })) });
  const answer = { themes: [
    { id: 'A', verdict: 'clear', severity: null, findings: [] },
    { id: 'B', verdict: 'unknown', severity: 'review', findings: [finding('B1', 'unknown', ['fuel']), finding('B2', 'unknown', ['fuel', 'tier'])] },
    { id: 'C', verdict: 'conflict', severity: 'review', findings: [finding('C1', 'conflict', [])] },
  ] };
  assert.deepEqual(themesWorstFirst(answer).map((each) => each.id), ['C', 'B', 'A']);
  assert.deepEqual(missingAttributes(answer).map((each) => each.name), ['fuel', 'tier']);
});
