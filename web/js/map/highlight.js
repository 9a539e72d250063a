/** What stands out on the map: the selection, a conflict's witness, the drawn site and the parts of a verdict. */

import { CircleMarker, FeatureGroup, GeoJSON, SVG } from './leaflet.js';

/** @typedef {import('geojson').Geometry} Geometry */
/** @typedef {'selection' | 'zone' | 'witness' | 'site' | 'hover' | 'conflict' | 'unknown' | 'edge' | 'clear'} Mark */

/** Class names carry the colours, so that they live in the style sheets alone. @type {Record<Mark, object>} */
const STYLES = {
  selection: { weight: 3.5, fillOpacity: 0.12 },
  zone: { weight: 3, fillOpacity: 0.1, dashArray: '8 5' },
  witness: { weight: 3.5, fillOpacity: 0.45 },
  hover: { weight: 4.5, fillOpacity: 0.35 },
  site: { weight: 3, fillOpacity: 0 },
  conflict: { weight: 1.5, fillOpacity: 0.46 },
  unknown: { weight: 1.5, fillOpacity: 0.44 },
  edge: { weight: 1.5, fillOpacity: 0.5 },
  clear: { weight: 1.5, fillOpacity: 0.24 },
};

/**
 * Marks over the layers; each kind holds one geometry or several at a time.
 * @param {import('leaflet').Map} map
 */
export function createHighlights(map) {
  const renderer = new SVG({ pane: 'marks', padding: 0.3 });
  /** @type {Map<string, FeatureGroup>} */
  const groups = new Map();

  /** @param {string} name */
  const clear = (name) => {
    groups.get(name)?.remove();
    groups.delete(name);
  };

  return {
    /**
     * Show geometries (degrees) under a name, in place of what it showed before.
     * @param {string} name
     * @param {readonly (Geometry | null | undefined)[]} geometries
     * @param {Mark} mark
     */
    show(name, geometries, mark) {
      clear(name);
      const group = new FeatureGroup();
      for (const geometry of geometries) {
        if (!geometry) continue;
        group.addLayer(drawing(geometry, mark, renderer, true));
        group.addLayer(drawing(geometry, mark, renderer, false));
      }
      groups.set(name, group.addTo(map));
    },

    clear,

    /** @param {readonly string[]} [names] all when left out */
    clearAll(names = [...groups.keys()]) {
      names.forEach(clear);
    },
  };
}

/** @typedef {ReturnType<typeof createHighlights>} Highlights */

/**
 * @param {Geometry} geometry
 * @param {Mark} mark
 * @param {SVG} renderer
 * @param {boolean} halo the pale outline beneath
 */
function drawing(geometry, mark, renderer, halo) {
  const style = /** @type {{weight: number}} */ (STYLES[mark]);
  const shared = { renderer, interactive: false, className: halo ? 'mark-halo' : `mark mark-${mark}` };
  const drawn = halo
    ? { ...shared, weight: style.weight + 3, fill: false }
    : { ...shared, ...style };
  return new GeoJSON(geometry, {
    interactive: false,
    style: () => drawn,
    pointToLayer: (_feature, place) => new CircleMarker(place, { ...drawn, radius: mark === 'witness' ? 7 : 12 }),
  });
}
