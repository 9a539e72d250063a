/** How a feature of a vector tile is painted on canvas, from the style of its layer's definition. */

import { HATCHES, HATCH_CELL, painter, shapePath } from '../pure/style.js';

/** @typedef {import('../globals').PaintSymbolizer} PaintSymbolizer */
/** @typedef {import('../globals').TileFeature} TileFeature */
/** @typedef {import('../globals').TilePoint} TilePoint */
/** @typedef {import('../pure/style.js').Paint} Paint */
/** @typedef {import('../types').Layer} Layer */

const POINT = 1;
const LINE = 2;
const FONT = '600 11px system-ui, "Noto Sans CJK SC", "Microsoft YaHei", sans-serif';

/** @type {Map<string, Path2D>} */
const paths = new Map();
/** @type {Map<string, CanvasPattern | null>} */
const patterns = new Map();

/**
 * Paints the features of one layer.
 * @param {Layer} layer
 * @param {() => number} opacity 0 to 1, asked at each painting
 * @returns {PaintSymbolizer}
 */
export function featureSymbolizer(layer, opacity) {
  const paintOf = painter(layer.style);
  return {
    draw(ctx, geom, z, feature) {
      const paint = paintOf(feature.props);
      const indicative = feature.props['is_indicative'] === true;
      const alpha = opacity();
      ctx.save();
      if (feature.geomType === POINT) drawPoints(ctx, geom, z, feature, paint, indicative, alpha);
      else if (feature.geomType === LINE) drawLines(ctx, geom, paint, indicative, alpha);
      else drawAreas(ctx, geom, paint, indicative, alpha);
      ctx.restore();
    },
  };
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {TilePoint[][]} geom
 * @param {number} z
 * @param {TileFeature} feature
 * @param {Paint} paint
 * @param {boolean} indicative
 * @param {number} alpha
 */
function drawPoints(ctx, geom, z, feature, paint, indicative, alpha) {
  ctx.globalAlpha = alpha;
  const count = Number(feature.props['n'] ?? 1);
  for (const { x, y } of geom.flat()) {
    ctx.save();
    ctx.translate(x, y);
    if (count > 1) drawBubble(ctx, count, paint.colour);
    else drawMark(ctx, paint, paint.size * zoomScale(z), indicative);
    ctx.restore();
  }
}

/** @param {CanvasRenderingContext2D} ctx @param {Paint} paint @param {number} radius @param {boolean} indicative */
function drawMark(ctx, paint, radius, indicative) {
  const path = pathOf(shapePath(paint.shape, radius));
  ctx.lineJoin = 'round';
  ctx.lineWidth = indicative ? 4.5 : 3;
  ctx.strokeStyle = '#fff';
  ctx.stroke(path);
  ctx.fillStyle = indicative ? '#fff' : paint.colour;
  ctx.fill(path);
  if (indicative) {
    ctx.lineWidth = 2;
    ctx.strokeStyle = paint.colour;
    ctx.stroke(path);
  }
}

/** @param {CanvasRenderingContext2D} ctx @param {number} count @param {string} colour */
function drawBubble(ctx, count, colour) {
  const radius = bubbleRadius(count);
  ctx.beginPath();
  ctx.arc(0, 0, radius + 3, 0, 2 * Math.PI);
  ctx.fillStyle = `${colour}40`;
  ctx.fill();
  ctx.beginPath();
  ctx.arc(0, 0, radius, 0, 2 * Math.PI);
  ctx.fillStyle = colour;
  ctx.fill();
  ctx.lineWidth = 1.5;
  ctx.strokeStyle = '#fff';
  ctx.stroke();
  ctx.font = FONT;
  ctx.textAlign = 'center';
  ctx.textBaseline = 'middle';
  ctx.fillStyle = isPale(colour) ? '#1a2523' : '#fff';
  ctx.fillText(count < 1000 ? String(count) : `${Math.round(count / 100) / 10}k`, 0, 0.5);
}

/** Radius of a cluster of `count` features, CSS pixels. @param {number} count */
export function bubbleRadius(count) {
  return Math.min(17, 8 + 3 * Math.log10(count));
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {TilePoint[][]} geom
 * @param {Paint} paint
 * @param {boolean} indicative
 * @param {number} alpha
 */
function drawLines(ctx, geom, paint, indicative, alpha) {
  trace(ctx, geom);
  ctx.lineJoin = 'round';
  ctx.lineCap = 'round';
  ctx.globalAlpha = alpha;
  ctx.strokeStyle = paint.colour;
  ctx.lineWidth = paint.lineWidth;
  ctx.setLineDash(paint.dash.length ? paint.dash : indicative ? [7, 5] : []);
  ctx.stroke();
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {TilePoint[][]} geom
 * @param {Paint} paint
 * @param {boolean} indicative
 * @param {number} alpha
 */
function drawAreas(ctx, geom, paint, indicative, alpha) {
  trace(ctx, geom);
  ctx.globalAlpha = alpha * paint.fillOpacity;
  ctx.fillStyle = paint.colour;
  if (paint.fillOpacity > 0) ctx.fill();
  const pattern = patternOf(ctx, paint);
  if (pattern) {
    ctx.globalAlpha = alpha * 0.75;
    ctx.fillStyle = pattern;
    ctx.fill();
  }
  if (paint.lineWidth <= 0) return;
  ctx.globalAlpha = alpha;
  ctx.strokeStyle = paint.colour;
  ctx.lineWidth = paint.lineWidth;
  ctx.setLineDash(paint.dash.length ? paint.dash : indicative ? [6, 4] : []);
  ctx.stroke();
}

/** @param {CanvasRenderingContext2D} ctx @param {TilePoint[][]} geom */
function trace(ctx, geom) {
  ctx.beginPath();
  for (const part of geom) {
    part.forEach(({ x, y }, at) => (at ? ctx.lineTo(x, y) : ctx.moveTo(x, y)));
  }
}

/** @param {string} text */
function pathOf(text) {
  let path = paths.get(text);
  if (!path) paths.set(text, (path = new Path2D(text)));
  return path;
}

/** @param {CanvasRenderingContext2D} ctx @param {Paint} paint */
function patternOf(ctx, paint) {
  const strokes = HATCHES[paint.hatch];
  if (!strokes) return null;
  const key = `${paint.hatch} ${paint.colour}`;
  if (!patterns.has(key)) patterns.set(key, makePattern(ctx, strokes, paint.colour));
  return patterns.get(key) ?? null;
}

/** @param {CanvasRenderingContext2D} ctx @param {string} strokes @param {string} colour */
function makePattern(ctx, strokes, colour) {
  const density = Math.max(1, Math.ceil(window.devicePixelRatio));
  const cell = document.createElement('canvas');
  cell.width = cell.height = HATCH_CELL * density;
  const pen = /** @type {CanvasRenderingContext2D} */ (cell.getContext('2d'));
  pen.scale(density, density);
  pen.strokeStyle = colour;
  pen.lineWidth = 1.1;
  pen.stroke(new Path2D(strokes));
  const pattern = ctx.createPattern(cell, 'repeat');
  pattern?.setTransform(new DOMMatrix().scale(1 / density));
  return pattern;
}

/** Symbols grow a little as one comes closer. @param {number} z */
function zoomScale(z) {
  return Math.min(1.35, Math.max(0.75, 0.75 + (z - 8) * 0.085));
}

/** @param {string} colour #rrggbb */
function isPale(colour) {
  const value = Number.parseInt(colour.slice(1), 16);
  return (0.299 * (value >> 16) + 0.587 * ((value >> 8) & 255) + 0.114 * (value & 255)) > 165;
}
