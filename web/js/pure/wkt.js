/** Well-known text to GeoJSON geometry and back; x before y, further ordinates are dropped. */

/** @typedef {import('geojson').Geometry} Geometry */
/** @typedef {import('geojson').Position} Position */

/** How deep the brackets of a kind nest, and its GeoJSON name. @type {Record<string, [string, number]>} */
const KINDS = {
  POINT: ['Point', 0],
  LINESTRING: ['LineString', 1],
  POLYGON: ['Polygon', 2],
  MULTIPOINT: ['MultiPoint', 1],
  MULTILINESTRING: ['MultiLineString', 2],
  MULTIPOLYGON: ['MultiPolygon', 3],
};

/** Text that is not the WKT of a geometry; `at` is the offset of the trouble. */
export class WktError extends Error {
  /** @param {string} message @param {number} at */
  constructor(message, at) {
    super(`${message} (at character ${at + 1})`);
    this.name = 'WktError';
    this.at = at;
  }
}

/**
 * The geometry of a WKT or EWKT text, with the EPSG code that EWKT names.
 * @param {string} text
 * @returns {{geometry: Geometry, srid: number | null}}
 * @throws {WktError} when the text is no simple-feature geometry
 */
export function parseWkt(text) {
  const srid = /^\s*SRID=(\d+);/i.exec(text);
  const body = srid ? text.slice(srid[0].length) : text;
  const head = /^\s*([A-Z]+)\s*(?:Z|M|ZM)?\s*/i.exec(body);
  const kind = KINDS[(head?.[1] ?? '').toUpperCase()];
  if (!head || !kind) throw new WktError('not a WKT geometry', 0);
  const reader = new Reader(body, head[0].length);
  const coordinates = kind[0] === 'Point' ? reader.point() : reader.nested(kind[1], kind[0] === 'MultiPoint');
  reader.end();
  return {
    geometry: /** @type {Geometry} */ ({ type: kind[0], coordinates }),
    srid: srid ? Number(srid[1]) : null,
  };
}

class Reader {
  /** @param {string} text @param {number} at */
  constructor(text, at) {
    this.text = text;
    this.at = at;
  }

  /** @param {string} sign @returns {boolean} whether the next character is the sign; if so it is read */
  accept(sign) {
    while (/\s/.test(this.text[this.at] ?? '')) this.at += 1;
    if (this.text[this.at] !== sign) return false;
    this.at += 1;
    return true;
  }

  /** @param {string} sign */
  expect(sign) {
    if (!this.accept(sign)) throw new WktError(`'${sign}' expected`, this.at);
  }

  /** @returns {Position} */
  position() {
    const match = /^\s*([-+0-9.eE]+(?:\s+[-+0-9.eE]+)+)/.exec(this.text.slice(this.at, this.at + 200));
    const numbers = (match?.[1] ?? '').split(/\s+/).map(Number);
    if (!match || numbers.some((each) => !Number.isFinite(each))) throw new WktError('two numbers expected', this.at);
    this.at += match[0].length;
    return numbers.slice(0, 2);
  }

  point() {
    this.expect('(');
    const position = this.position();
    this.expect(')');
    return position;
  }

  /**
   * @param {number} depth
   * @param {boolean} bracketed whether single positions may stand in brackets of their own, as in MULTIPOINT
   * @returns {unknown[]}
   */
  nested(depth, bracketed) {
    this.expect('(');
    const items = [];
    do {
      if (depth > 1) items.push(this.nested(depth - 1, bracketed));
      else items.push(bracketed && this.accept('(') ? this.closed() : this.position());
    } while (this.accept(','));
    this.expect(')');
    return items;
  }

  closed() {
    const position = this.position();
    this.expect(')');
    return position;
  }

  end() {
    if (this.text.slice(this.at).trim().replace(/;$/, '')) throw new WktError('end of text expected', this.at);
  }
}

/**
 * The WKT of a GeoJSON geometry.
 * @param {Geometry} geometry
 * @param {number} [decimals] decimals kept
 * @returns {string}
 */
export function toWkt(geometry, decimals = 9) {
  if (geometry.type === 'GeometryCollection') {
    return `GEOMETRYCOLLECTION(${geometry.geometries.map((each) => toWkt(each, decimals)).join(',')})`;
  }
  /** @param {unknown} part @returns {string} */
  const write = (part) => {
    const list = /** @type {unknown[]} */ (part);
    if (typeof list[0] === 'number') {
      return list.slice(0, 2).map((each) => String(Number(Number(each).toFixed(decimals)))).join(' ');
    }
    return list.map((each) => (isPosition(each) ? write(each) : `(${write(each)})`)).join(',');
  };
  return `${geometry.type.toUpperCase()}(${write(geometry.coordinates)})`;
}

/** @param {unknown} part */
function isPosition(part) {
  return Array.isArray(part) && typeof part[0] === 'number';
}
