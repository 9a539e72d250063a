import assert from 'node:assert/strict';
import { test } from 'node:test';

import { metresApart, sortClaims } from '../../../web/js/pure/claims.js';

const claim = (value, source, at = '2026-11-22T08:00:00Z') => ({ value, uid: source, source, title: { zh: source, en: source }, bureau: null, at });
const LAYER = { fields: ['name', 'address', 'note'].map((name) => ({ name, title: { zh: name, en: name }, type: 'text' })) };

test('fields of two sources are parted into those that differ and those that agree', () => {
  const thing = {
    uids: ['a', 'b'],
    fields: { name: [claim('Ａ 厂', 'x'), claim('A厂', 'y')], address: [claim('1', 'x'), claim('2', 'y')], note: [claim('n', 'x')] },
    places: [],
  };
  const { differ, agree } = sortClaims(LAYER, thing, 'zh');
  assert.deepEqual(agree, ['name']);
  assert.deepEqual(differ, [{ title: 'address', claims: [
    { text: '1', source: 'x', at: '2026-11-22' }, { text: '2', source: 'y', at: '2026-11-22' },
  ] }]);
});

test('metres on the sphere agree with the published quarter of a great circle', () => {
  assert.ok(Math.abs(metresApart({ lon: 0, lat: 0 }, { lon: 90, lat: 0 }) - (Math.PI / 2) * 6371008.8) < 1e-6);
  assert.equal(metresApart({ lon: 120, lat: 29 }, { lon: 120, lat: 29 }), 0);
});
