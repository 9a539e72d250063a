/** Lines of longitude and latitude, the ground of the map where no base map is at hand. */

import { graticuleStep, tileBox } from '../pure/tiles.js';
import { GridLayer } from './leaflet.js';

const SIZE = 256;

/** A layer of graticule lines. @param {string} colour */
export function createGraticule(colour) {
  const Graticule = GridLayer.extend({
    /** @param {import('leaflet').Coords} coords */
    createTile(coords) {
      const tile = document.createElement('canvas');
      const density = window.devicePixelRatio || 1;
      tile.width = tile.height = SIZE * density;
      const pen = tile.getContext('2d');
      if (pen) {
        pen.scale(density, density);
        pen.strokeStyle = colour;
        drawLines(pen, coords);
      }
      return tile;
    },
  });
  return /** @type {import('leaflet').GridLayer} */ (new /** @type {any} */ (Graticule)({ pane: 'ground', className: 'graticule' }));
}

/** @param {CanvasRenderingContext2D} pen @param {{x: number, y: number, z: number}} coords */
function drawLines(pen, { x, y, z }) {
  const [west, south, east, north] = tileBox(z, x, y);
  const step = graticuleStep(z);
  pen.beginPath();
  for (let lon = Math.ceil(west / step) * step; lon < east; lon += step) {
    const at = ((lon - west) / (east - west)) * SIZE;
    pen.moveTo(at, 0);
    pen.lineTo(at, SIZE);
  }
  const [top, bottom] = [mercator(north), mercator(south)];
  for (let lat = Math.ceil(south / step) * step; lat < north; lat += step) {
    const at = ((top - mercator(lat)) / (top - bottom)) * SIZE;
    pen.moveTo(0, at);
    pen.lineTo(SIZE, at);
  }
  pen.stroke();
}

/** Height of a latitude on the Mercator plane. @param {number} latitude degrees */
function mercator(latitude) {
  return Math.asinh(Math.tan((latitude * Math.PI) / 180));
}
