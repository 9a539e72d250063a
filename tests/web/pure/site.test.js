import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  boxOf, drawnAccuracy, guessCrs, kindOfCoordinates, readSites, SiteError, swapped,
} from '../../../web/js/pure/site.js';
import { parseWkt, toWkt, WktError } from '../../../web/js/pure/wkt.js';
import { parsePosition } from '../../../web/js/pure/position.js';

const JINHUA = [118.9, 28.3, 121.1, 29.9];

const TEXTS = [
  'POINT(119.6 29.1)',
  'LINESTRING(0 0,1 1,2 0)',
  'POLYGON((0 0,4 0,4 4,0 0),(1 1,2 1,2 2,1 1))',
  'MULTIPOINT(1 2,3 4)',
  'MULTILINESTRING((0 0,1 1),(2 2,3 3))',
  'MULTIPOLYGON(((0 0,1 0,1 1,0 0)),((5 5,6 5,6 6,5 5)))',
];
for (const text of TEXTS) {
  test(`${text.slice(0, 16)}… reads and writes the same`, () => {
    assert.equal(toWkt(parseWkt(text).geometry), text);
  });
}

test('WKT may be spaced, lower case, with height, bracketed points and an SRID', () => {
  assert.deepEqual(parseWkt(' srid=4549; multipoint z ( (1 2 3) , (4 5 6) ) ;'), {
    geometry: { type: 'MultiPoint', coordinates: [[1, 2], [4, 5]] }, srid: 4549,
  });
});

for (const text of ['', 'POLYGON', 'POLYGON(0 0,1 1)', 'POINT(1)', 'POINT(1 2', 'POINT(1 2) x', 'CIRCLE(1 2)', 'POINT(1 e)']) {
  test(`“${text}” is no WKT`, () => {
    assert.throws(() => parseWkt(text), WktError);
  });
}

test('a feature collection gives each shape with its name', () => {
  const polygon = { type: 'Polygon', coordinates: [[[0, 0], [1, 0], [1, 1], [0, 0]]] };
  const text = JSON.stringify({
    type: 'FeatureCollection',
    features: [
      { type: 'Feature', properties: { name: '甲' }, geometry: polygon },
      { type: 'Feature', properties: null, geometry: { type: 'GeometryCollection', geometries: [polygon, { type: 'Point', coordinates: [1, 2] }] } },
      { type: 'Feature', properties: {}, geometry: null },
    ],
  });
  assert.deepEqual(readSites(`\uFEFF${text}`).map(({ name, geometry }) => [name, geometry.type]), [
    ['甲', 'Polygon'], ['', 'Polygon'], ['', 'Point'],
  ]);
});

test('a stated coordinate system is read from GeoJSON', () => {
  const crs = { type: 'name', properties: { name: 'urn:ogc:def:crs:EPSG::4549' } };
  const [site] = readSites(JSON.stringify({ type: 'Point', coordinates: [500000, 3220000], crs }));
  assert.equal(site.crs, 'EPSG:4549');
});

test('simple KML gives polygons with holes, lines and points', () => {
  const ring = (of, at) => `<${of}><LinearRing><coordinates>${at},${at},0 9,${at} 9,9 ${at},${at}</coordinates></LinearRing></${of}>`;
  const kml = `<?xml version="1.0"?><kml xmlns="x"><Document>
    <Placemark><name>A &amp; B</name><Polygon>${ring('outerBoundaryIs', 0)}${ring('innerBoundaryIs', 1)}</Polygon></Placemark>
    <Placemark id="2"><name><![CDATA[线]]></name><LineString><coordinates> 1,2 3,4 </coordinates></LineString></Placemark>
    <Placemark><Point><coordinates>5,6,7</coordinates></Point></Placemark></Document></kml>`;
  const sites = readSites(kml);
  assert.deepEqual(sites.map(({ name, geometry }) => [name, geometry.type]), [['A & B', 'Polygon'], ['线', 'LineString'], ['', 'Point']]);
  assert.equal(sites[0].geometry.coordinates.length, 2);
  assert.deepEqual(sites[2].geometry.coordinates, [5, 6]);
});

test('each kind of useless file has its own words', () => {
  const keyOf = (text) => {
    try { readSites(text); } catch (error) { assert(error instanceof SiteError); return error.key; }
    return 'accepted';
  };
  assert.equal(keyOf('  '), 'site.error.empty');
  assert.equal(keyOf('{"type": "Poly'), 'site.error.json');
  assert.equal(keyOf('{"type": "Topology"}'), 'site.error.none');
  assert.equal(keyOf('<html></html>'), 'site.error.format');
  assert.equal(keyOf('name,x,y'), 'site.error.format');
});

test('coordinates are told apart: degrees, swapped, elsewhere, projected', () => {
  assert.equal(kindOfCoordinates([119.6, 29, 119.7, 29.1], JINHUA), 'degrees');
  assert.equal(kindOfCoordinates([29, 119.6, 29.1, 119.7], JINHUA), 'swapped');
  assert.equal(kindOfCoordinates([-3, 51, -2, 52], JINHUA), 'elsewhere');
  assert.equal(kindOfCoordinates([500000, 3220000, 500100, 3220100], JINHUA), 'projected');
});

test('exchanging coordinates leaves the original alone', () => {
  const geometry = { type: 'Point', coordinates: [29, 119] };
  assert.deepEqual(swapped(geometry).coordinates, [119, 29]);
  assert.deepEqual(geometry.coordinates, [29, 119]);
});

test('plane coordinate systems are guessed from the easting and the district', () => {
  assert.deepEqual(guessCrs(504_321, 120), ['EPSG:4549', 'EPSG:4510', 'EPSG:32651']);
  assert.deepEqual(guessCrs(40_504_321, 120), ['EPSG:4528']);
  assert.deepEqual(guessCrs(20_504_321, 118), ['EPSG:4498']);
  assert.deepEqual(guessCrs(400_000, -2), ['EPSG:32630']);
});

test('a drawn line is worth two pixels', () => {
  assert.equal(drawnAccuracy(0, 0), 313086.1);
  assert.equal(drawnAccuracy(29, 17), 2.1);
  assert.equal(drawnAccuracy(29, 24), 0.1);
});

test('a box holds every position', () => {
  assert.deepEqual(boxOf(parseWkt(TEXTS[5]).geometry), [0, 0, 6, 6]);
});

test('a typed position is read in either order, but not out of a name', () => {
  assert.deepEqual(parsePosition('29.08, 119.65', JINHUA), { lon: 119.65, lat: 29.08 });
  assert.deepEqual(parsePosition('119.65°E 29.08°N', JINHUA), { lon: 119.65, lat: 29.08 });
  assert.equal(parsePosition('7 号厂房', JINHUA), null);
  assert.equal(parsePosition('400 29', JINHUA), null);
});
