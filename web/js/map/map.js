/** The map itself: view, ground, and how to move it so that the panels leave things in sight. */

import { isCalm, isNarrow } from '../screen.js';
import { createGraticule } from './graticule.js';
import { Control, LatLngBounds, LeafletMap, TileLayer } from './leaflet.js';

/** @typedef {import('../types').Box} Box */
/** @typedef {import('../types').Config} Config */

/** Nothing is shown closer: the data do not carry it. */
const MAX_ZOOM = 19;

/**
 * A Leaflet map of the district.
 * @param {HTMLElement} element
 * @param {Config} config
 * @param {{lon: number, lat: number, zoom: number} | null} view from the link; else the district's own
 */
export function createMap(element, config, view) {
  const [lon, lat] = config.district.view.center;
  const calm = isCalm();
  const map = new LeafletMap(element, {
    center: view ? [view.lat, view.lon] : [lat, lon],
    zoom: view?.zoom ?? config.district.view.zoom,
    minZoom: 4,
    maxZoom: MAX_ZOOM,
    maxBounds: around(config.district.extent),
    maxBoundsViscosity: 0.6,
    zoomControl: false,
    attributionControl: false,
    worldCopyJump: false,
    // A leap over several levels would show the names of the old one blown up until the new one is there.
    zoomAnimationThreshold: 1,
    zoomAnimation: !calm,
    fadeAnimation: !calm,
    markerZoomAnimation: !calm,
    inertia: !calm,
  });
  makePane(map, 'ground', 150);
  makePane(map, 'base', 160);
  makePane(map, 'raster', 180);
  makePane(map, 'marks', 450);
  createGraticule(getComputedStyle(element).getPropertyValue('--graticule').trim() || '#dde5e1').addTo(map);
  new Control.Scale({ imperial: false, position: 'bottomleft', maxWidth: 120 }).addTo(map);
  return map;
}

/** @param {LeafletMap} map @param {string} name @param {number} level */
function makePane(map, name, level) {
  map.createPane(name).style.zIndex = String(level);
}

/** A box with as much again on every side: there is nothing to see beyond. @param {Box} box */
function around([west, south, east, north]) {
  const [wide, high] = [(east - west) * 1.5, (north - south) * 1.5];
  return new LatLngBounds([south - high, west - wide], [north + high, east + wide]);
}

/**
 * Show the district as its settings say, in the middle of what the panels leave free; one level farther on a narrow screen.
 * @param {LeafletMap} map
 * @param {Config} config
 * @param {readonly HTMLElement[]} covers
 */
export function showDistrict(map, config, covers) {
  const { view } = config.district;
  const zoom = isNarrow() ? view.zoom - 1 : view.zoom;
  const free = insets(map.getContainer(), covers);
  const [lon, lat] = view.center;
  const middle = map.project([lat, lon], zoom).add([(free.right - free.left) / 2, (free.bottom - free.top) / 2]);
  map.setView(map.unproject(middle, zoom), zoom, { animate: false });
}

/**
 * A base map from its configuration.
 * @param {import('../types').Basemap} basemap
 */
export function baseLayer(basemap) {
  return new TileLayer(basemap.url, { pane: 'base', maxNativeZoom: basemap.max_zoom ?? 18, maxZoom: MAX_ZOOM });
}

/**
 * What covers the map on each side, in pixels.
 * @param {HTMLElement} container of the map
 * @param {readonly HTMLElement[]} covers
 */
export function insets(container, covers) {
  const whole = container.getBoundingClientRect();
  const free = { left: 12, top: 12, right: 12, bottom: 12 };
  for (const cover of covers) {
    const box = cover.getBoundingClientRect();
    if (!box.width || !box.height || box.right <= whole.left || box.left >= whole.right) continue;
    const across = box.width > whole.width * 0.7;
    if (across && box.top > whole.height * 0.2) free.bottom = Math.max(free.bottom, whole.bottom - box.top + 12);
    else if (across) free.top = Math.max(free.top, box.bottom - whole.top + 12);
    else if (box.height < 160) continue;
    else if (box.left - whole.left < whole.width / 3) free.left = Math.max(free.left, box.right - whole.left + 12);
    else free.right = Math.max(free.right, whole.right - box.left + 12);
  }
  return free;
}

/**
 * Move the map so that a box stands in the part the panels leave free.
 * @param {LeafletMap} map
 * @param {Box} box in degrees
 * @param {readonly HTMLElement[]} covers
 * @param {number} [maxZoom]
 */
export function showBox(map, [west, south, east, north], covers, maxZoom = 15) {
  const free = insets(map.getContainer(), covers);
  map.fitBounds(new LatLngBounds([south, west], [north, east]), {
    paddingTopLeft: [free.left + 24, free.top + 24],
    paddingBottomRight: [free.right + 24, free.bottom + 24],
    maxZoom: Math.max(maxZoom, 1),
    animate: !isCalm(),
  });
}
