/** A small map on a page: the layer's own tiles over the district's outlines, and the features of the page. */

import { fetchConfig, fetchDocument } from '../api.js';
import { createVectorStack } from '../map/tiles.js';

/** Features of a page are drawn one by one; the colour is that of a selection on the map. */
const FEATURE = { color: '#0b57d0', weight: 2, fillOpacity: 0.15, radius: 5 };
const CLOSEST = 15;

/**
 * Fill an element with a map of what its data attributes name.
 * @param {HTMLElement} element `data-bbox` west,south,east,north; `data-layer` drawn from its tiles; `data-features` an address
 */
export async function createMinimap(element) {
  const { L } = /** @type {{L: typeof import('leaflet')}} */ (/** @type {any} */ (globalThis));
  const [west = 0, south = 0, east = 0, north = 0] = (element.dataset['bbox'] ?? '').split(',').map(Number);
  const map = L.map(element, { attributionControl: false, scrollWheelZoom: false, minZoom: 4 });
  map.fitBounds([[south, west], [north, east]], { maxZoom: CLOSEST });
  L.control.scale({ imperial: false }).addTo(map);
  const config = await fetchConfig();
  const basemap = config.basemaps[0];
  if (basemap) L.tileLayer(basemap.url, { maxNativeZoom: basemap.max_zoom ?? 18 }).addTo(map);
  const outlines = config.layers.filter((layer) => layer.role === 'context' && layer.visible).map((layer) => layer.id);
  const stack = createVectorStack(map, config.layers, () => 1, { onWork() {}, onTrouble() {} });
  stack.show(new Set([...outlines, element.dataset['layer'] ?? '']));
  if (element.dataset['features']) await showFeatures(L, map, element.dataset['features']);
}

/** @param {typeof import('leaflet')} L @param {import('leaflet').Map} map @param {string} address of GeoJSON in degrees */
async function showFeatures(L, map, address) {
  const document = await fetchDocument(address);
  const drawn = L.geoJSON(document, {
    style: FEATURE,
    pointToLayer: (_feature, place) => L.circleMarker(place, FEATURE),
  }).addTo(map);
  if (drawn.getBounds().isValid()) map.fitBounds(drawn.getBounds(), { padding: [24, 24], maxZoom: CLOSEST });
}
