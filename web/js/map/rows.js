/** Rows of an import on the map: each kind has a colour and a shape of its own, never colour alone. */

import { Canvas, CircleMarker, FeatureGroup, GeoJSON } from './leaflet.js';

/** @typedef {import('../types').RowFeatures} RowFeatures */
/** @typedef {import('../types').RowMark} RowMark */

/**
 * How each kind looks. `sign` is drawn inside the circle of a point: a square stands on its side, a diamond on its
 * corner. The same colours are in the style sheet for the legend.
 * @type {Record<RowMark, {token: string, sign: 'circle' | 'diamond' | 'square' | 'cross' | 'triangle', dash: string, fill: number}>}
 */
const LOOKS = {
  first: { token: '--row-first', sign: 'circle', dash: '', fill: 0.75 },
  second: { token: '--row-second', sign: 'diamond', dash: '6 5', fill: 0.15 },
  added: { token: '--row-added', sign: 'circle', dash: '', fill: 0.8 },
  changed: { token: '--row-changed', sign: 'diamond', dash: '9 4', fill: 0.8 },
  closed: { token: '--row-closed', sign: 'cross', dash: '3 5', fill: 0.1 },
  refused: { token: '--row-refused', sign: 'triangle', dash: '2 4', fill: 0.6 },
};
const RADIUS = 6;

/** A point with a shape; Leaflet's own canvas knows circles only. */
class SignMarker extends CircleMarker {
  _updatePath() {
    const { _renderer: renderer, _point: point } = /** @type {any} */ (this);
    if (!renderer._drawing || /** @type {any} */ (this)._empty()) return;
    const context = renderer._ctx;
    context.beginPath();
    const { sign, radius } = /** @type {any} */ (this.options);
    outline(context, sign, point.x, point.y, radius);
    renderer._fillStroke(context, this);
  }
}

/** @param {CanvasRenderingContext2D} context @param {string} sign @param {number} x @param {number} y @param {number} r */
function outline(context, sign, x, y, r) {
  /** @type {Record<string, [number, number][]>} */
  const corners = {
    diamond: [[0, -1.35], [1.35, 0], [0, 1.35], [-1.35, 0]],
    square: [[-1, -1], [1, -1], [1, 1], [-1, 1]],
    triangle: [[0, -1.3], [1.25, 0.95], [-1.25, 0.95]],
    cross: [[-1.2, -0.7], [-0.7, -1.2], [0, -0.5], [0.7, -1.2], [1.2, -0.7], [0.5, 0], [1.2, 0.7], [0.7, 1.2], [0, 0.5], [-0.7, 1.2], [-1.2, 0.7], [-0.5, 0]],
  };
  const drawn = corners[sign];
  if (!drawn) {
    context.arc(x, y, r, 0, 2 * Math.PI);
    return;
  }
  drawn.forEach(([dx, dy], at) => (at ? context.lineTo(x + dx * r, y + dy * r) : context.moveTo(x + dx * r, y + dy * r)));
  context.closePath();
}

/**
 * Collections of rows over the layers, each under a name.
 * @param {import('leaflet').Map} map
 */
export function createRowMarks(map) {
  const renderer = new Canvas({ pane: 'marks', padding: 0.3 });
  /** @type {Map<string, FeatureGroup>} */
  const groups = new Map();

  /** @param {string} name */
  const clear = (name) => {
    groups.get(name)?.remove();
    groups.delete(name);
  };

  /** While rows are looked at, the layers beneath stand back. */
  const fade = () => map.getContainer().classList.toggle('with-rows', groups.size > 0);

  return {
    /**
     * Show rows under a name in place of what it showed; a row's own `change` says its kind, else `mark`.
     * @param {string} name
     * @param {RowFeatures} rows
     * @param {RowMark} mark
     * @param {(properties: {row?: number, change?: RowMark, uid?: string}) => string} words shown beside a row under the pointer
     */
    show(name, rows, mark, words) {
      clear(name);
      const tokens = getComputedStyle(map.getContainer());
      /** @param {RowMark | undefined} kind */
      const look = (kind) => {
        const { token, sign, dash, fill } = LOOKS[kind ?? mark];
        const colour = tokens.getPropertyValue(token).trim() || '#444';
        return { renderer, sign, color: colour, fillColor: colour, weight: 2, opacity: 1, fillOpacity: fill, dashArray: dash, radius: kind === undefined && mark === 'second' ? RADIUS * 1.35 : RADIUS };
      };
      const layer = new GeoJSON(/** @type {import('geojson').FeatureCollection} */ ({ type: 'FeatureCollection', features: rows.features }), {
        style(feature) {
          const own = look(feature?.properties?.change);
          if (!feature?.geometry.type.endsWith('Point')) return { ...own, fillOpacity: 0.18, weight: 2.5 };
          // A filled sign has a pale rim, so that it stands out; a hollow one has only its line.
          return { ...own, dashArray: '', ...(own.fillOpacity > 0.5 ? { color: '#fff', weight: 1.2 } : { weight: 2.4 }) };
        },
        pointToLayer: (feature, place) => new SignMarker(place, look(feature.properties?.change)),
      });
      layer.bindTooltip((each) => {
        const label = document.createElement('span');
        label.textContent = words(/** @type {any} */ (each).feature?.properties ?? {});
        return label;
      }, { direction: 'top', offset: [0, -6], sticky: true });
      groups.set(name, new FeatureGroup([layer]).addTo(map));
      fade();
    },

    clearAll() {
      [...groups.keys()].forEach(clear);
      fade();
    },
  };
}

/** @typedef {ReturnType<typeof createRowMarks>} RowMarks */
