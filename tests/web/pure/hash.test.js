import assert from 'node:assert/strict';
import { test } from 'node:test';

import { decode, encode } from '../../../web/js/pure/hash.js';
import { decodeLedger, encodeLedger, ledgerQuery, REAL_CONFLICTS } from '../../../web/js/pure/ledger.js';

const FULL = {
  view: { zoom: 12, lat: 29.08, lon: 119.65 },
  layers: ['rivers', 'parks'],
  opacity: { parks: 0.5 },
  lang: 'en',
  selection: { layer: 'conflicts', uid: 'outfalls/A|zones/x:1&2|DW-01' },
  panel: 'conflicts',
  raster: 'elevation',
  basemap: null,
  site: 'POLYGON((119.6 29,119.7 29,119.7 29.1,119.6 29))',
  kind: 'expand',
  attributes: { fuel: 'coal', discharges: 'false' },
  importing: 'Zr3-kQ_x8vT1mB5nC0aYwA',
  ledger: 'edge/review',
};

test('a state survives the way through a link', () => {
  assert.deepEqual(decode(`#${encode(FULL)}`), FULL);
});

test('a link stays readable', () => {
  const link = encode({ ...FULL, selection: null, site: null });
  assert.match(link, /^map=12\/29\.08000\/119\.65000&layers=rivers,parks&opacity=parks:0\.5/);
});

test('no visible layer is a choice, unlike none stated', () => {
  assert.deepEqual(decode(encode({ ...FULL, layers: [] })).layers, []);
  assert.equal(decode('#lang=zh').layers, null);
});

test('an unreadable link is an empty one', () => {
  const state = decode('#map=abc/1/2&lang=fr&sel=/x&opacity=a:9,b&site=%E0%A4%A&=&&');
  assert.deepEqual([state.view, state.lang, state.selection, state.opacity, state.site], [null, null, null, {}, null]);
});

test('a view off the earth is refused', () => {
  assert.equal(decode('#map=9/95/120').view, null);
  assert.equal(decode('#map=99/29/120').view, null);
});

test('a long site is left out of the link', () => {
  const site = `LINESTRING(${'1 2,'.repeat(600)}1 2)`;
  assert.equal(decode(encode({ ...FULL, site })).site, null);
});

test('a filter of the ledger survives, also with a place', () => {
  const filter = { verdict: 'edge', severity: '', rule: 'DW-05', place: '金东区|孝顺镇' };
  assert.deepEqual(decodeLedger(encodeLedger(filter)), filter);
  assert.equal(encodeLedger(REAL_CONFLICTS), '');
  assert.deepEqual(decodeLedger(''), REAL_CONFLICTS);
});

test('a filter asks only for what is chosen', () => {
  assert.deepEqual(ledgerQuery(REAL_CONFLICTS), { verdict: 'conflict' });
  assert.deepEqual(ledgerQuery({ verdict: 'edge', severity: 'review', rule: 'DW-05', place: '金东区|孝顺镇' }), {
    verdict: 'edge', severity: 'review', rules: 'DW-05', county: '金东区', township: '孝顺镇',
  });
});
