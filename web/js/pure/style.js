/** Symbols: which colour, shape and hatch a feature has, as data and as SVG path text. */

/** @typedef {import('../types').Layer} Layer */
/** @typedef {import('../types').Properties} Properties */
/** @typedef {import('../types').Shape} Shape */
/** @typedef {import('../types').Style} Style */
/** @typedef {import('../types').Symbol} StyleSymbol */

/**
 * @typedef {object} Paint
 * @property {Shape} shape
 * @property {string} colour
 * @property {number} size radius of a point symbol, CSS pixels
 * @property {number} fillOpacity 0 to 1
 * @property {number} lineWidth CSS pixels
 * @property {number[]} dash CSS pixels; empty for a whole line
 * @property {'none' | 'diagonal' | 'cross' | 'dots'} hatch
 */

const FALLBACK = '#5b6b73';

/**
 * @param {string | number[] | null | undefined} dash "6 3", "6,3" or [6, 3]
 * @returns {number[]}
 */
export function dashes(dash) {
  if (!dash) return [];
  const parts = Array.isArray(dash) ? dash : dash.split(/[\s,]+/).map(Number);
  return parts.filter((part) => Number.isFinite(part) && part > 0);
}

/**
 * A symbol with nothing left open.
 * @param {StyleSymbol} symbol
 * @param {StyleSymbol} [base] what holds where the symbol says nothing
 * @returns {Paint}
 */
export function paintOf(symbol, base = {}) {
  return {
    shape: symbol.shape ?? base.shape ?? 'circle',
    colour: symbol.colour ?? base.colour ?? FALLBACK,
    size: symbol.size ?? base.size ?? 5,
    fillOpacity: symbol.fill_opacity ?? base.fill_opacity ?? 0.2,
    lineWidth: symbol.line_width ?? base.line_width ?? 1.5,
    dash: dashes(symbol.dash ?? base.dash),
    hatch: symbol.hatch ?? base.hatch ?? 'none',
  };
}

/**
 * A function from a feature's attributes to its paint; classes are resolved once.
 * @param {Style} style
 * @returns {(properties: Properties) => Paint}
 */
export function painter(style) {
  const base = paintOf(style);
  const { by } = style;
  if (!by || !style.classes?.length) return () => base;
  const classes = new Map(style.classes.map((each) => [each.value, paintOf(each, style)]));
  return (properties) => classes.get(String(properties[by])) ?? base;
}

/** @type {Record<string, 1 | 2 | 3>} */
const DIMENSIONS = {
  Point: 3, MultiPoint: 3, LineString: 2, MultiLineString: 2, Polygon: 1, MultiPolygon: 1,
};

/**
 * Layers from the bottom to the top: areas, lines, points, then derived ones; inside each by `order`.
 * @param {readonly Layer[]} layers
 */
export function drawingOrder(layers) {
  /** @param {Layer} layer */
  const rank = (layer) => (layer.role === 'derived' ? 4 : (DIMENSIONS[layer.geometry] ?? 3));
  return layers
    .filter((layer) => layer.geometry !== 'none')
    .sort((a, b) => rank(a) - rank(b) || a.order - b.order);
}

/**
 * A point symbol as SVG path text around the origin.
 * @param {Shape} shape
 * @param {number} radius CSS pixels; the symbols of one radius look equally large
 */
export function shapePath(shape, radius) {
  const r = round(radius);
  if (shape === 'square') {
    const s = round(radius * 0.88);
    return `M${-s},${-s}H${s}V${s}H${-s}Z`;
  }
  if (shape === 'triangle') {
    const [w, up, down] = [round(radius * 1.08), round(radius * 1.15), round(radius * 0.85)];
    return `M0,${-up}L${w},${down}H${-w}Z`;
  }
  if (shape === 'diamond') {
    const d = round(radius * 1.2);
    return `M0,${-d}L${d},0L0,${d}L${-d},0Z`;
  }
  if (shape === 'cross') {
    const [a, b] = [round(radius * 0.36), round(radius * 1.1)];
    return `M${-a},${-b}H${a}V${-a}H${b}V${a}H${a}V${b}H${-a}V${a}H${-b}V${-a}H${-a}Z`;
  }
  return `M${-r},0A${r},${r} 0 1 1 ${r},0A${r},${r} 0 1 1 ${-r},0Z`;
}

/** Side of the repeating hatch cell in CSS pixels; divides 256, so hatches join at tile edges. */
export const HATCH_CELL = 8;

/** Strokes of one hatch cell as SVG path text. @type {Record<string, string>} */
export const HATCHES = {
  diagonal: 'M-2,2L2,-2M0,8L8,0M6,10L10,6',
  cross: 'M-2,2L2,-2M0,8L8,0M6,10L10,6M-2,6L2,10M0,0L8,8M6,-2L10,2',
  dots: 'M1.2,2h1.6M5.2,6h1.6',
};

/** @param {number} value */
function round(value) {
  return Math.round(value * 100) / 100;
}
