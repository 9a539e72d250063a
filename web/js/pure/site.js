/** A dropped or pasted text as sites: GeoJSON, WKT and simple KML, and which coordinates they are in. */

import { parseWkt } from './wkt.js';

/** @typedef {import('geojson').Geometry} Geometry */
/** @typedef {import('geojson').Position} Position */
/** @typedef {import('../types').Box} Box */

/**
 * @typedef {object} Site
 * @property {string} name '' when the file names none
 * @property {Geometry} geometry
 * @property {string | null} crs "EPSG:4549" when the file says so
 * @property {boolean} hasProperties whether the file says anything else of it
 */

/** A file that holds no site; `key` names the text to show. */
export class SiteError extends Error {
  /** @param {string} key @param {string} [detail] */
  constructor(key, detail = '') {
    super(detail || key);
    this.name = 'SiteError';
    this.key = key;
  }
}

const SCREENABLE = new Set(['Point', 'LineString', 'Polygon', 'MultiPoint', 'MultiLineString', 'MultiPolygon']);

/**
 * Every geometry of a text, with its name and stated CRS.
 * @param {string} text
 * @returns {Site[]} at least one
 * @throws {SiteError} when it is neither GeoJSON, WKT nor KML, or holds no geometry
 */
export function readSites(text) {
  const body = text.replace(/^\uFEFF/, '').trim();
  if (!body) throw new SiteError('site.error.empty');
  const sites = body.startsWith('{') ? fromGeoJson(body) : body.startsWith('<') ? fromKml(body) : fromWkt(body);
  const usable = sites.filter((site) => SCREENABLE.has(site.geometry.type) && positions(site.geometry).length > 0);
  if (!usable.length) throw new SiteError('site.error.none');
  return usable;
}

/** @param {string} body @returns {Site[]} */
function fromGeoJson(body) {
  let document;
  try {
    document = JSON.parse(body);
  } catch (error) {
    throw new SiteError('site.error.json', /** @type {Error} */ (error).message);
  }
  const stated = String(document.crs?.properties?.name ?? '');
  const code = /EPSG:+(?:[\d.]*:)?(\d+)$/i.exec(stated);
  const crs = code ? `EPSG:${code[1]}` : null;
  const features = document.type === 'FeatureCollection' ? document.features : [document];
  if (!Array.isArray(features)) throw new SiteError('site.error.none');
  return features.flatMap((feature) => {
    const geometry = feature?.type === 'Feature' ? feature.geometry : feature;
    const named = feature?.properties?.name ?? feature?.properties?.NAME ?? feature?.properties?.['名称'] ?? '';
    const hasProperties = Object.keys(feature?.properties ?? {}).length > 0;
    return parts(geometry).map((each) => ({ name: String(named), geometry: each, crs, hasProperties }));
  });
}

/** @param {any} geometry @returns {Geometry[]} */
function parts(geometry) {
  if (!geometry?.type) return [];
  if (geometry.type === 'GeometryCollection') return (geometry.geometries ?? []).flatMap(parts);
  return Array.isArray(geometry.coordinates) ? [geometry] : [];
}

/** @param {string} body @returns {Site[]} */
function fromWkt(body) {
  try {
    const { geometry, srid } = parseWkt(body);
    return [{ name: '', geometry, crs: srid ? `EPSG:${srid}` : null, hasProperties: false }];
  } catch (error) {
    throw new SiteError('site.error.format', /** @type {Error} */ (error).message);
  }
}

/**
 * Placemarks of a KML text, without folders, styles and links; KML is always longitude and latitude.
 * @param {string} body
 * @returns {Site[]}
 */
function fromKml(body) {
  if (!/<kml[\s>]/i.test(body)) throw new SiteError('site.error.format');
  return [...body.matchAll(/<Placemark[\s>][\s\S]*?<\/Placemark>/g)].flatMap(([mark]) => {
    const name = plain(inside(mark, 'name')[0] ?? '');
    return kmlGeometries(mark).map((geometry) => ({ name, geometry, crs: null, hasProperties: name !== '' }));
  });
}

/** @param {string} mark @returns {Geometry[]} */
function kmlGeometries(mark) {
  const polygons = inside(mark, 'Polygon').map((polygon) => {
    const rings = [...inside(polygon, 'outerBoundaryIs'), ...inside(polygon, 'innerBoundaryIs')];
    return rings.map((ring) => kmlPositions(inside(ring, 'coordinates')[0] ?? ''));
  });
  if (polygons.length > 1) return [{ type: 'MultiPolygon', coordinates: polygons }];
  if (polygons[0]) return [{ type: 'Polygon', coordinates: polygons[0] }];
  const lines = inside(mark, 'LineString').map((line) => kmlPositions(inside(line, 'coordinates')[0] ?? ''));
  if (lines.length) return lines.map((coordinates) => ({ type: 'LineString', coordinates }));
  return inside(mark, 'Point').flatMap((point) => {
    const [position] = kmlPositions(inside(point, 'coordinates')[0] ?? '');
    return position ? [{ type: /** @type {const} */ ('Point'), coordinates: position }] : [];
  });
}

/** @param {string} xml @param {string} tag */
function inside(xml, tag) {
  return [...xml.matchAll(new RegExp(`<${tag}(?:\\s[^>]*)?>([\\s\\S]*?)</${tag}>`, 'g'))].map((match) => match[1] ?? '');
}

/** @param {string} xml */
function plain(xml) {
  const entities = /** @type {Record<string, string>} */ ({ lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" });
  return xml.replace(/<!\[CDATA\[([\s\S]*?)\]\]>/g, '$1').replace(/&(\w+);/g, (all, name) => entities[name] ?? all).trim();
}

/** @param {string} text @returns {Position[]} */
function kmlPositions(text) {
  return text.trim().split(/\s+/).map((word) => word.split(',').map(Number).slice(0, 2))
    .filter((pair) => pair.length === 2 && pair.every(Number.isFinite));
}

/**
 * All positions of a geometry, flat.
 * @param {Geometry} geometry
 * @returns {Position[]}
 */
export function positions(geometry) {
  if (geometry.type === 'GeometryCollection') return geometry.geometries.flatMap(positions);
  /** @type {Position[]} */
  const found = [];
  /** @param {unknown} part */
  const walk = (part) => {
    if (!Array.isArray(part)) return;
    if (typeof part[0] === 'number') found.push(/** @type {Position} */ (part));
    else part.forEach(walk);
  };
  walk(geometry.coordinates);
  return found;
}

/**
 * The bounding box of a geometry, in its own coordinates.
 * @param {Geometry} geometry
 * @returns {Box}
 */
export function boxOf(geometry) {
  /** @type {Box} */
  const box = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [x = 0, y = 0] of positions(geometry)) {
    box[0] = Math.min(box[0], x);
    box[1] = Math.min(box[1], y);
    box[2] = Math.max(box[2], x);
    box[3] = Math.max(box[3], y);
  }
  return box;
}

/**
 * Whether coordinates can be read as longitude and latitude in the district.
 * @param {Box} box of the site, in its own coordinates
 * @param {Box} extent of the district, in degrees
 * @returns {'degrees' | 'swapped' | 'elsewhere' | 'projected'} swapped: latitude stands first;
 *   elsewhere: degrees, but far from the district
 */
export function kindOfCoordinates(box, extent) {
  const [west, south, east, north] = box;
  const inRange = west >= -180 && east <= 180 && south >= -90 && north <= 90;
  if (inRange && meets(box, extent)) return 'degrees';
  if (south >= -180 && north <= 180 && west >= -90 && east <= 90 && meets([south, west, north, east], extent)) {
    return 'swapped';
  }
  return inRange ? 'elsewhere' : 'projected';
}

/** @param {Box} a @param {Box} b */
function meets(a, b) {
  return a[0] <= b[2] && a[2] >= b[0] && a[1] <= b[3] && a[3] >= b[1];
}

/**
 * The geometry with x and y exchanged.
 * @param {Geometry} geometry
 * @returns {Geometry}
 */
export function swapped(geometry) {
  const copy = structuredClone(geometry);
  for (const position of positions(copy)) position.reverse();
  return copy;
}

/**
 * Plausible plane coordinate systems of metre coordinates, the likeliest first. CGCS2000 Gauss-Krüger codes
 * run in rows: 3-degree zones 25-45 with the zone number in the easting from EPSG:4513, the same by central
 * meridian 75-135 E from 4534; 6-degree zones 13-23 from 4491, by central meridian from 4502. UTM by 6 degrees.
 * @param {number} x easting in metres
 * @param {number} longitude of the district's middle, degrees
 * @returns {string[]}
 */
export function guessCrs(x, longitude) {
  const zone = Math.floor(x / 1e6);
  if (zone >= 25 && zone <= 45) return [`EPSG:${4513 + zone - 25}`];
  if (zone >= 13 && zone <= 23) return [`EPSG:${4491 + zone - 13}`];
  const utm = `EPSG:${32601 + Math.floor((longitude + 180) / 6)}`;
  const three = Math.round(longitude / 3) * 3;
  if (three < 75 || three > 135) return [utm];
  const six = Math.floor(longitude / 6) * 6 + 3;
  return [`EPSG:${4534 + (three - 75) / 3}`, `EPSG:${4502 + (six - 75) / 6}`, utm];
}

/**
 * What a hand-drawn line is worth: two screen pixels, in metres on the ground.
 * @param {number} latitude degrees
 * @param {number} zoom of a Web Mercator map with tiles of 256 pixels
 */
export function drawnAccuracy(latitude, zoom) {
  const metresPerPixel = (40075016.686 * Math.cos((latitude * Math.PI) / 180)) / (256 * 2 ** zoom);
  return Math.max(0.1, Math.round(metresPerPixel * 20) / 10);
}
