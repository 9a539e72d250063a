/**
 * Leaflet, from one place: a new major version changes this file and the import map only.
 * The plug-ins are classic scripts and look for the global `L`; a module's namespace is frozen, so they get a copy.
 */

import * as leaflet from 'leaflet';

/** @type {Record<string, any>} */
const L = { ...leaflet };
/** @type {any} */ (globalThis).L = L;

/**
 * The drawing tools of a map that is already there, loaded when first asked for.
 * @param {leaflet.Map} map
 * @returns {Promise<import('leaflet').DrawingTools>}
 */
export async function drawingTools(map) {
  if (!map.pm) {
    await import('leaflet-geoman');
    map.pm = new L['PM'].Map(map);
  }
  return /** @type {import('leaflet').DrawingTools} */ (map.pm);
}

export {
  Map as LeafletMap,
  GridLayer,
  TileLayer,
  GeoJSON,
  FeatureGroup,
  CircleMarker,
  DivIcon,
  Marker,
  Control,
  SVG,
  Canvas,
  LatLngBounds,
  DomEvent,
} from 'leaflet';
