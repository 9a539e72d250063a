/** Legend symbols, drawn from the same shapes as the map. */

import { pick } from '../pure/format.js';
import { HATCHES, HATCH_CELL, paintOf, shapePath } from '../pure/style.js';
import { language } from '../words.js';
import { freshId, h, svg } from './dom.js';

/** @typedef {import('../types').Layer} Layer */
/** @typedef {import('../types').Symbol} StyleSymbol */

/**
 * A symbol of 22 x 16 pixels.
 * @param {StyleSymbol} symbol
 * @param {string} geometry of the layer
 * @param {boolean} [indicative]
 */
export function swatch(symbol, geometry, indicative = false) {
  const paint = paintOf(symbol);
  const box = { class: 'swatch', viewBox: '0 0 22 16', width: 22, height: 16, 'aria-hidden': 'true' };
  const stroke = { stroke: paint.colour, 'stroke-width': Math.max(1, Math.min(3, paint.lineWidth)) };
  const dash = paint.dash.length ? paint.dash : indicative ? [4, 3] : [];
  if (geometry.endsWith('LineString')) {
    return svg('svg', box, svg('path', { d: 'M1,12C7,3 14,14 21,5', fill: 'none', ...stroke, 'stroke-dasharray': dash.join(' ') }));
  }
  if (geometry.endsWith('Polygon')) return areaSwatch(box, paint, stroke, dash);
  return svg('svg', box, svg('path', {
    d: shapePath(paint.shape, 5.5), transform: 'translate(11 8)',
    fill: indicative ? '#fff' : paint.colour, stroke: indicative ? paint.colour : '#fff', 'stroke-width': indicative ? 2 : 1,
  }));
}

/**
 * @param {Record<string, unknown>} box
 * @param {import('../pure/style.js').Paint} paint
 * @param {Record<string, unknown>} stroke
 * @param {number[]} dash
 */
function areaSwatch(box, paint, stroke, dash) {
  const outline = { x: 1.5, y: 1.5, width: 19, height: 13, rx: 2 };
  const strokes = HATCHES[paint.hatch];
  const id = freshId('hatch');
  return svg(
    'svg', box,
    strokes && svg('defs', {}, svg(
      'pattern', { id, width: HATCH_CELL, height: HATCH_CELL, patternUnits: 'userSpaceOnUse' },
      svg('path', { d: strokes, stroke: paint.colour, 'stroke-width': 1.1, fill: 'none' }),
    )),
    svg('rect', { ...outline, fill: paint.colour, 'fill-opacity': paint.fillOpacity }),
    strokes && svg('rect', { ...outline, fill: `url(#${id})`, 'fill-opacity': 0.75 }),
    svg('rect', { ...outline, fill: 'none', ...stroke, 'stroke-dasharray': dash.join(' ') }),
  );
}

/** The symbol that stands for a layer as a whole. @param {Layer} layer */
export function layerSwatch(layer) {
  return swatch(layer.legend[0] && layer.legend.length === 1 ? layer.legend[0] : layer.style, layer.geometry, false);
}

/** The legend of a layer; null when one symbol says it all. @param {Layer} layer */
export function legendList(layer) {
  if (layer.legend.length < 2) return null;
  return h(
    'ul', { class: 'legend' },
    layer.legend.map((row) =>
      h('li', {}, swatch({ ...layer.style, ...row }, layer.geometry), h('span', {}, pick(row.label, language()))),
    ),
  );
}
