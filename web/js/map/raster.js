/** One raster at a time, under the vector layers. */

import { rasterTiles } from '../api.js';
import { LatLngBounds, TileLayer } from './leaflet.js';

/**
 * @param {import('leaflet').Map} map
 * @param {readonly import('../types').Raster[]} rasters
 */
export function createRasterLayer(map, rasters) {
  /** @type {TileLayer | null} */
  let layer = null;
  let current = '';
  return {
    /**
     * @param {string | null} id null shows none
     * @param {number} opacity 0 to 1
     */
    show(id, opacity) {
      const raster = rasters.find((each) => each.id === id);
      if (current !== (raster?.id ?? '')) {
        layer?.remove();
        layer = raster ? tilesOf(raster).addTo(map) : null;
        current = raster?.id ?? '';
      }
      layer?.setOpacity(opacity);
    },
  };
}

/** @param {import('../types').Raster} raster */
function tilesOf(raster) {
  const [west, south, east, north] = raster.bounds;
  return new TileLayer(rasterTiles(raster.id), {
    pane: 'raster', bounds: new LatLngBounds([south, west], [north, east]), maxZoom: 19, className: 'raster-tile',
  });
}
