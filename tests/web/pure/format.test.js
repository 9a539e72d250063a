import assert from 'node:assert/strict';
import { test } from 'node:test';

import { area, bearing, date, listed, metres, number, percent, pick, position } from '../../../web/js/pure/format.js';

test('an area changes its unit as it grows', () => {
  assert.equal(area(12.34, 'en'), '12.3 m²');
  assert.equal(area(9_999, 'en'), '9,999 m²');
  assert.equal(area(12_300, 'en'), '1.23 ha');
  assert.equal(area(12_300, 'zh'), '1.23 公顷');
  assert.equal(area(32_380_000, 'en'), '32.38 km²');
  assert.equal(area(null, 'en'), '—');
});

test('a length changes its unit as it grows', () => {
  assert.equal(metres(0.04, 'en'), '0 m');
  assert.equal(metres(14.2, 'en'), '14 m');
  assert.equal(metres(12_000, 'en'), '12 km');
  assert.equal(metres(undefined, 'en'), '—');
});

test('a share that is not nothing never reads as nothing, nor one that is not all as all', () => {
  assert.equal(percent(0, 'en'), '0 %');
  assert.equal(percent(0.0002, 'en'), '< 0.1 %');
  assert.equal(percent(0.99999, 'en'), '> 99.9 %');
  assert.equal(percent(1, 'en'), '100 %');
  assert.equal(percent(0.123, 'en'), '12.3 %');
});

test('a bearing is a wind, also on the far side of north', () => {
  assert.equal(bearing(350, 'en'), 'north');
  assert.equal(bearing(-45, 'en'), 'north-west');
  assert.equal(bearing(42, 'zh'), '东北');
  assert.equal(bearing(null, 'zh'), '');
});

test('a date does not move with the time zone', () => {
  assert.equal(date('2026-08-15', 'zh'), '2026年8月15日');
  assert.equal(date('2026-08-15T23:59:00Z', 'en'), '15 Aug 2026');
  assert.equal(date('soon', 'en'), 'soon');
  assert.equal(date(null, 'en'), '—');
});

test('numbers are grouped and rounded', () => {
  assert.equal(number(4732, 'en'), '4,732');
  assert.equal(number(3.14159, 'en'), '3.14');
  assert.equal(number(Number.NaN, 'en'), '—');
});

test('a bilingual text falls back to the language it has', () => {
  assert.equal(pick({ zh: '河流', en: 'Rivers' }, 'en'), 'Rivers');
  assert.equal(pick({ zh: '河流', en: '' }, 'en'), '河流');
  assert.equal(pick('plain', 'zh'), 'plain');
  assert.equal(pick(null, 'zh'), '');
});

test('a position names its hemispheres', () => {
  assert.equal(position(119.65, 29.08), '29.08000° N  119.65000° E');
  assert.match(position(-3, -1), /S .*W/);
});

test('names are strung together as the language does', () => {
  assert.equal(listed(['燃料', '行业'], 'zh'), '燃料、行业');
  assert.equal(listed(['fuel', 'industry'], 'en'), 'fuel, industry');
});
