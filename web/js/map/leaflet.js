/**
 * Leaflet, from one place: a new major version changes this file and the import map only.
 * The plug-ins are classic scripts and look for the global `L`; a module's namespace is frozen, so they get a copy.
 */

import * as leaflet from 'leaflet';

/** @type {Record<string, any>} */
const L = { ...leaflet };
/** @type {any} */ (globalThis).L = L;

/** Loads the drawing tools into a map that is already there. @param {leaflet.Map} map */
export async function loadDrawingTools(map) {
  if (map.pm) return;
  await import('leaflet-geoman');
  map.pm = new L['PM'].Map(map);
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
  LatLngBounds,
  DomEvent,
} from 'leaflet';
